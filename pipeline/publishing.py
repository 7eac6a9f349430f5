"""Publishing by rename: a server that polls the folder sees a version whole or not at all."""

from __future__ import annotations

import filecmp
import os
import shutil
import time
from pathlib import Path

_UNFINISHED = ".unfinished"


def newest_version(folder: Path) -> int | None:
    """The highest version below `folder`; None if there is none."""
    return max((int(path.name) for path in folder.glob("*") if path.name.isdecimal()), default=None)


def publish(model: Path, folder: Path) -> int:
    """Makes `model` the newest version below `folder`, unless it already is, and returns its version.

    A version is the time in seconds, or the number after the newest one if that is not in the past. Nothing else may publish
    into the folder at the same time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f".*{_UNFINISHED}"):
        shutil.rmtree(leftover)
    newest = newest_version(folder)
    if newest is not None and _equal(model, folder / str(newest)):
        return newest
    version = max(int(time.time()), (newest or 0) + 1)
    copy = folder / f".{version}{_UNFINISHED}"
    shutil.copytree(model, copy)
    os.rename(copy, folder / str(version))
    return version


def _equal(left: Path, right: Path) -> bool:
    """Whether two folders hold the same files, byte by byte."""
    files = [sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in (left, right)]
    return files[0] == files[1] and all(filecmp.cmp(left / file, right / file, shallow=False) for file in files[0])

"""Publishing by rename: a server that polls the folder sees a version whole or not at all."""

from __future__ import annotations

import datetime
import filecmp
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from feature_spec.names import EXPORTED_SPAN

_UNFINISHED = ".unfinished"


def versions(folder: Path) -> list[int]:
    """Return the versions below `folder`, the newest first."""
    return sorted(
        (int(path.name) for path in folder.glob("*") if path.name.isdecimal()), reverse=True
    )


def newest_version(folder: Path) -> int | None:
    """Return the highest version below `folder`; None if there is none."""
    return next(iter(versions(folder)), None)


def publish(model: Path, folder: Path, extras: Mapping[str, Path] | None = None) -> int | None:
    """Make `model` the newest version below `folder`, unless it already is.

    A version is the time in seconds, or the number after the newest version if that is not in the
    past. Nothing else may publish into the folder at the same time.

    A version also holds the folders `extras`, by their places in it.

    A model of a span does not take the place of a model of a later day.

    Returns:
        The version that is this model; None if the newest version is of a later day and no older
        version is this model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {"": model, **(extras or {})}
    for leftover in folder.glob(f".*{_UNFINISHED}"):
        shutil.rmtree(leftover)
    newest = newest_version(folder)
    if newest is not None and _is_content(content, folder / str(newest)):
        return newest
    day = _evaluation_day(model)
    if (
        newest is not None
        and day is not None
        and (newest_day := _evaluation_day(folder / str(newest)))
        and newest_day > day
    ):
        of_day = (
            version for version in versions(folder) if _evaluation_day(folder / str(version)) == day
        )
        same = (version for version in of_day if _is_content(content, folder / str(version)))
        return next(same, None)
    version = max(int(time.time()), (newest or 0) + 1)
    copy = folder / f".{version}{_UNFINISHED}"
    for place, source in content.items():
        shutil.copytree(source, copy / place, dirs_exist_ok=True)
    os.rename(copy, folder / str(version))
    return version


def _evaluation_day(model: Path) -> datetime.date | None:
    """Return the day that judged the model; None if it was not trained by span."""
    span = model / EXPORTED_SPAN
    if not span.exists():
        return None
    return datetime.date.fromisoformat(
        json.loads(span.read_text(encoding="utf-8"))["evaluation_day"]
    )


def _is_content(content: Mapping[str, Path], version: Path) -> bool:
    """Return whether a version holds the files of folders by their places, byte by byte."""
    files = {
        Path(place) / path.relative_to(source): path
        for place, source in content.items()
        for path in source.rglob("*")
        if path.is_file()
    }
    there = {path.relative_to(version) for path in version.rglob("*") if path.is_file()}
    return files.keys() == there and all(
        filecmp.cmp(path, version / place, shallow=False) for place, path in files.items()
    )

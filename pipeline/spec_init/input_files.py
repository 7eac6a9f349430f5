"""The files that `fulcrum spec init` is given, and the patterns by which a spec names them."""

from __future__ import annotations

import datetime
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.ingest.sources.files import LogFile

_MOST_PATTERNS = 50


def log_files(given: Sequence[Path], others: Sequence[Path] = ()) -> list[Path]:
    """Return the files that paths name: files, and all files below folders.

    Args:
        given: paths of files or folders.
        others: files that are side tables.

    Raises:
        ValueError: a path does not exist, or a folder has no file.
    """
    found: dict[Path, None] = {}
    tables = {path.resolve() for path in others}
    for path in given:
        if path.is_dir():
            below = [
                one
                for one in sorted(path.rglob("*"))
                if one.is_file() and not one.name.startswith((".", "_"))
            ]
            found |= dict.fromkeys(one for one in below if one.resolve() not in tables)
            if not below:
                raise ValueError(f"{path} has no files")
        elif path.is_file():
            found[path] = None
        else:
            raise ValueError(f"there is no file {path}")
    if not found:
        raise ValueError("all of these files are side tables: give the files of the log")
    return list(found)


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the folder that all files are below."""
    return Path(os.path.commonpath([str(path.resolve().parent) for path in paths]))


def files_below(folder: Path, paths: Sequence[Path]) -> list[LogFile]:
    """Return files as ingestion knows them, by their names below a folder."""
    return sorted(
        LogFile(str(path), str(path.resolve().relative_to(folder)), path.stat().st_size)
        for path in paths
    )


def patterns_of(folder: Path, files: Sequence[LogFile]) -> list[str]:
    """Return patterns that match some files below a folder, and no other.

    One pattern is tried that covers what is different: `day={day}/*.csv` where that is a day.

    Args:
        folder: the folder.
        files: the files.

    Raises:
        ValueError: no one pattern matches them, and they are too many for a list.
    """
    names = [file.name for file in files]
    if len(names) > 1:
        pattern = _one_pattern(names)
        if pattern is not None:
            anything = pattern.replace("{day}", "*").replace("{day:%Y%m%d}", "*")
            if set(glob.glob(anything, root_dir=folder)) == set(names):
                return [pattern]
        if len(names) > _MOST_PATTERNS:
            raise ValueError(
                f"no pattern matches these {len(names):,} files and no other of {folder}: put the "
                "files of the log into a folder of their own"
            )
    return [_escaped(name) for name in names]


def _escaped(name: str) -> str:
    # Braces stand for days.
    return glob.escape(name).replace("{", "?").replace("}", "?")


def _one_pattern(names: Sequence[str]) -> str | None:
    parts = [name.split("/") for name in names]
    if len({len(one) for one in parts}) > 1:
        return None
    pattern, has_day = [], False
    for level in zip(*parts, strict=True):
        if len(set(level)) == 1:
            pattern.append(_escaped(level[0]))
            continue
        start = _common_start(level)
        end = _common_start([one[len(start) :][::-1] for one in level])[::-1]
        place = None if has_day else _day_place(level)
        if place is not None:
            has_day = True
            pattern.append(place)
        else:
            pattern.append(f"{_escaped(start)}*{_escaped(end)}")
    return "/".join(pattern)


def _common_start(texts: Sequence[str]) -> str:
    least, most = min(texts), max(texts)
    for at, (one, other) in enumerate(zip(least, most, strict=False)):
        if one != other:
            return least[:at]
    return least


def _day_place(names: Sequence[str]) -> str | None:
    """Return a pattern with a place for the day, where that is all in which names differ."""
    for place, form, digits in (
        ("{day}", "%Y-%m-%d", r"\d{4}-\d\d-\d\d"),
        ("{day:%Y%m%d}", "%Y%m%d", r"(?<!\d)\d{8}(?!\d)"),
    ):
        around = {tuple(re.split(digits, name, maxsplit=1)) for name in names}
        if len(around) != 1 or len(parts := around.pop()) == 1:
            continue
        try:
            for name in names:
                day = re.search(digits, name)
                datetime.datetime.strptime(day[0] if day else "", form)
        except ValueError:
            continue
        return f"{_escaped(parts[0])}{place}{_escaped(parts[1])}"
    return None

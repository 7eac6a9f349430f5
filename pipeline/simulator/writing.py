"""Simulated days and tables as files, the same bytes for the same settings."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# Level 6 takes twice the time for 5 % less.
_COMPRESSION_LEVEL = 3
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def json_lines(columns: dict[str, list[Any]]) -> Iterator[bytes]:
    """One JSON line a row, without line ends. A value of None is missing: its key is left out."""
    names = list(columns)
    for row in zip(*columns.values(), strict=True):
        yield _ENCODE(
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
        ).encode()


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Writes gzipped lines. The header holds no time of writing, so equal lines give equal bytes."""
    write_bytes(
        path, gzip.compress(b"".join(line + b"\n" for line in lines), _COMPRESSION_LEVEL, mtime=0)
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file at once, and leaves one that holds the same bytes alone, so that a pipeline's cache stays valid."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)

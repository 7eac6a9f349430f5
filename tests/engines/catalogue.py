"""Which engines tests run on, and where they lie on this machine."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
ENGINES: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "engines.toml").read_text())


def cache_folder() -> Path:
    """Return the folder of the engines: `FULCRUM_ENGINES`, or one in the user's cache."""
    if chosen := os.environ.get("FULCRUM_ENGINES"):
        return Path(chosen)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "fulcrum-tests" / "engines"


def place(engine: str) -> Path:
    """Return the folder of an engine, of what is listed. It exists once all of it is there."""
    entry = ENGINES[engine]
    listed = json.dumps(entry, sort_keys=True)
    if "jars" in entry:
        listed += (FOLDER / f"{entry['jars']}.sha256").read_text()
    return cache_folder() / f"{engine}-{entry['version']}-{zlib.crc32(listed.encode()):08x}"


def require(*engines: str, program: str = "java") -> None:
    """Skip the test if an engine, or the program to run it, is not on this machine."""
    if shutil.which(program) is None:
        pytest.skip(f"no engines on this machine: no {program}")
    for engine in engines:
        if not place(engine).is_dir():
            pytest.skip(f"no engines on this machine: {place(engine)} is missing; `make engines`")

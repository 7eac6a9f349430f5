"""What an installation contains: the wheel of the working tree, and what an extra brings."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("fulcrum", "feature_spec", "pipeline", "trainer", "serving")


def project_copy(folder: Path) -> Path:
    """Copy the packages and what their installation reads; returns the folder of the copy."""
    project = folder / "project"
    project.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, project / name)
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, project / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return project


def built_wheel(folder: Path) -> Path:
    """Build the wheel in a folder, from a copy of the packages and without a registry."""
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(folder)],
        cwd=project_copy(folder),
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@functools.cache
def installed_by(extra: str) -> frozenset[str]:
    """Return what `pip install fulcrum-ranker[extra]` installs: itself, and all that it needs."""
    seen, left = set(), [("fulcrum-ranker", frozenset({extra}))]
    while left:
        found = name, extras = left.pop()
        if found in seen:
            continue
        seen.add(found)
        for needed in map(Requirement, distribution(name).requires or ()):
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": one}) for one in extras | {""}):
                left.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return frozenset(name for name, _ in seen)

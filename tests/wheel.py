"""Builds the wheel of the working tree, for tests of what an installation contains."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("fulcrum", "feature_spec", "pipeline", "trainer", "serving")


def built_wheel(folder: Path) -> Path:
    """Build the wheel in a folder, from a copy of the packages and without a registry."""
    project = folder / "project"
    project.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, project / name)
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, project / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=project, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    return wheel

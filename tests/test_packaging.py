"""What an installation contains."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fulcrum

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("fulcrum", "feature_spec", "pipeline", "trainer", "serving")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the files in the working tree, built without a registry."""
    folder = tmp_path_factory.mktemp("wheel")
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
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.mark.slow
def test_a_wheel_has_every_file_of_the_packages_and_no_other(wheel):
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == files


@pytest.mark.slow
def test_a_wheel_has_the_version_that_the_package_says_and_the_console_script(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {fulcrum.__version__}\n" in wheel.read(metadata).decode()
    (scripts,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "fulcrum = fulcrum.cli:main" in wheel.read(scripts).decode()

"""What an installation contains."""

from __future__ import annotations

import ast
import functools
import sys
import zipfile
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

import fulcrum
from fulcrum.lazy_names import extra_for
from tests.wheel import PACKAGES, REPOSITORY, built_wheel, installed_by


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the working tree."""
    path = built_wheel(tmp_path_factory.mktemp("wheel"))
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


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_are_told_that_a_package_has_types(package):
    assert (REPOSITORY / package / "py.typed").is_file()


def test_an_extra_that_an_error_names_installs_what_is_missing():
    """Each third-party package that a part of the house imports comes with the extra for that part."""
    wrong = [
        (path, imported, extra)
        for package in ("pipeline", "trainer", "serving")
        for path, imported in _imports_below(package)
        for extra in [extra_for(imported, package)]
        if not _distributions_of(imported) & (installed_by("") | installed_by(extra))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["feature_spec", "fulcrum", "serving/client", "serving/rank"])
def test_the_base_installs_what_spec_client_and_face_import(package):
    missing = {
        imported
        for _, imported in _imports_below(package)
        if not _distributions_of(imported) & installed_by("")
    }
    assert missing == set()


def _imports_below(folder):
    """The files of a folder with the third-party packages that each imports, lazily or not."""
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                top = name.partition(".")[0]
                if top not in (*PACKAGES, *sys.stdlib_module_names):
                    yield path.relative_to(REPOSITORY).as_posix(), top


@functools.cache
def _distributions_of(package):
    return {canonicalize_name(name) for name in packages_distributions()[package]}

"""The house: who may import whom, how large files and folders are, and what loads nothing heavy."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.wheel import PACKAGES, REPOSITORY


def test_imports_go_in_the_declared_directions_only():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module", ["feature_spec.loading", "feature_spec.feature_layout", "feature_spec.spec_tables"]
)
def test_what_must_answer_at_once_does_not_load_tensorflow(module):
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'tfx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_help_loads_nothing_heavy():
    heavy = (
        "tensorflow",
        "tfx",
        "apache_beam",
        "keras",
        "pyarrow",
        "numpy",
        "pandas",
        "grpc",
        "pydantic",
        "matplotlib",
    )
    code = (
        "import sys, typer\nfrom fulcrum import cli\ntry: cli.app(['--help'])\nexcept SystemExit: pass\n"
        f"print('loaded:', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_no_graph_is_rewritten_by_autograph():
    """Our code branches on no tensor, and rewriting what it calls takes longer than tracing it."""
    for path in _modules():
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        chosen = [
            node.func
            for node in nodes
            if isinstance(node, ast.Call)
            and "autograph=False" in [ast.unparse(word) for word in node.keywords]
        ]
        for node in nodes:
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "tf.function":
                assert node in chosen, f"{path}:{node.lineno}"


def test_no_catch_all_modules():
    names = {path.name for path in _modules()}
    assert not names & {"utils.py", "helpers.py", "common.py", "misc.py"}


def test_no_file_has_more_than_500_lines():
    assert [path for path, lines in _lines_of_modules().items() if lines > 500] == []


def test_the_median_file_is_neither_a_fragment_nor_a_pile():
    assert 110 <= statistics.median(_lines_of_modules().values()) <= 200


def test_no_folder_has_more_than_20_files():
    counts = Counter(path.parent for path in _modules())
    assert [folder for folder, files in counts.items() if files > 20] == []


def _modules():
    return [path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]


def _lines_of_modules():
    return {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in _modules()
        if path.name != "__init__.py"
    }


def test_the_lock_names_no_registry():
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--hash=sha256:" in lock

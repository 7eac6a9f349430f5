"""The newest version of a model, and the files of the newest execution."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_spec.artifacts.newest_outputs import (
    SAVED_MODEL,
    newest_model,
    newest_version,
    of_newest_execution,
)
from feature_spec.names import SERVING_MODEL


def _model(folder: Path, *others: str) -> Path:
    folder.mkdir(parents=True)
    for file in (SAVED_MODEL, *others):
        (folder / file).touch()
    return folder


def test_versions_are_compared_as_numbers_and_other_folders_are_none(tmp_path: Path) -> None:
    for name in ("9", "10", "11.unfinished"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(tmp_path / "absent") is None


@pytest.mark.parametrize("parent", [".", SERVING_MODEL])
def test_a_model_is_the_newest_version_below_a_root_or_a_folder(
    parent: str, tmp_path: Path
) -> None:
    _model(tmp_path / parent / "2", "spec.yaml")
    newest = _model(tmp_path / parent / "10")
    assert newest_model(tmp_path) == newest
    assert newest_model(newest) == newest
    assert newest_model(tmp_path, "spec.yaml") == tmp_path / parent / "2"
    assert newest_model(newest, "spec.yaml") is None


def test_files_of_the_newest_execution_keep_their_order() -> None:
    files = [
        f"root/Gen/examples/{execution}/Split-evaluation/{part}"
        for part in ("b", "a")
        for execution in ("9", "10", ".temp")
    ]
    assert of_newest_execution(files) == [
        "root/Gen/examples/10/Split-evaluation/b",
        "root/Gen/examples/10/Split-evaluation/a",
    ]
    assert of_newest_execution([]) == []

"""Files of artifacts are read and written alike on this machine and on file systems of Beam."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.workspace.artifact_files import is_file, matching_files, read_bytes, write_bytes


@pytest.fixture(
    params=["local", pytest.param("ram", marks=[pytest.mark.slow, pytest.mark.tensorflow])]
)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "local":
        (tmp_path / "[a]" / "b").mkdir(parents=True)
        return str(tmp_path / "[a]")
    from tests.pipeline.workspace import ram_file_system

    ram_file_system.mend_folders(monkeypatch)
    return f"ram://artifact-files/{tmp_path.name}"


def test_what_is_written_is_read(folder: str) -> None:
    assert not is_file(f"{folder}/a.json")
    write_bytes(f"{folder}/a.json", b"\x00{}")
    assert is_file(f"{folder}/a.json")
    assert read_bytes(f"{folder}/a.json") == b"\x00{}"


def test_a_file_that_is_not_there_is_an_error_of_the_system(folder: str) -> None:
    with pytest.raises(OSError, match="missing"):
        read_bytes(f"{folder}/missing")


def test_files_are_found_by_patterns_of_which_only_two_asterisks_cross_folders(folder: str) -> None:
    for name in ("b/2.txt", "b/1.txt", "3.txt", "b/4.json"):
        write_bytes(f"{folder}/{name}", b"")
    assert matching_files(folder, "*/*.txt") == [f"{folder}/b/1.txt", f"{folder}/b/2.txt"]
    assert matching_files(folder, "*") == [f"{folder}/3.txt"]
    assert [file.removeprefix(folder) for file in matching_files(folder, "**")] == [
        "/3.txt",
        "/b/1.txt",
        "/b/2.txt",
        "/b/4.json",
    ]
    assert matching_files(f"{folder}/nowhere", "**") == []

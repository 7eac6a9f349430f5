"""Files of artifacts are read and written alike on this machine and on file systems of Beam."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.workspace.artifact_files import (
    copy_folder,
    is_file,
    link_or_copy_file,
    local_copy,
    matching_files,
    matching_folders,
    read_bytes,
    remove_folder,
    write_bytes,
)


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


def test_folders_are_found_by_patterns_and_removed_with_all_that_they_hold(folder: str) -> None:
    for name in ("a/model/7/x/y", "a/model/8/z", "b/model/7/z", "7/z"):
        write_bytes(f"{folder}/{name}", b"")
    found = matching_folders(folder, "*/*/7")
    assert found == [f"{folder}/a/model/7", f"{folder}/b/model/7"]
    for one in (*found, f"{folder}/nowhere"):
        remove_folder(one)
    assert [file.removeprefix(folder) for file in matching_files(folder, "**")] == [
        "/7/z",
        "/a/model/8/z",
    ]


def test_a_folder_is_copied_with_its_folders(folder: str, tmp_path: Path) -> None:
    for name in ("x/1", "x/y/2"):
        write_bytes(f"{folder}/{name}", name.encode())
    for target in (f"{folder}/copy", str(tmp_path / "copy")):
        copy_folder(f"{folder}/x", target)
        assert read_bytes(f"{target}/1") == b"x/1"
        assert read_bytes(f"{target}/y/2") == b"x/y/2"


def test_a_local_copy_has_the_files(folder: str) -> None:
    write_bytes(f"{folder}/x/1", b"one")
    with local_copy(f"{folder}/x") as local:
        assert (Path(local) / "1").read_bytes() == b"one"


def test_a_file_is_linked_where_it_can_be_and_else_copied(folder: str) -> None:
    write_bytes(f"{folder}/1", b"one")
    link_or_copy_file(f"{folder}/1", f"{folder}/there/1")
    assert read_bytes(f"{folder}/there/1") == b"one"

"""Files of artifacts are read and written alike on this machine and on file systems of Beam."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.workspace import artifact_files
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


def test_two_asterisks_and_a_slash_match_any_number_of_folders(folder: str) -> None:
    for name in ("x", "b/x", "b/c/x", "b/c/d/x", "b/y"):
        write_bytes(f"{folder}/{name}", b"")
    everywhere = [f"{folder}/{name}" for name in ("b/c/d/x", "b/c/x", "b/x", "x")]
    assert matching_files(folder, "**/x") == everywhere
    assert matching_files(folder, "b/**/x") == everywhere[:3]
    assert matching_files(folder, "**/c/**/x") == everywhere[:2]


def test_beam_is_asked_for_patterns_with_and_without_folders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def match(patterns: list[str]) -> list[SimpleNamespace]:
        asked.extend(patterns)
        found = [SimpleNamespace(path="gs://a/b/x"), SimpleNamespace(path="gs://a/x")]
        return [SimpleNamespace(metadata_list=found) for _ in patterns]

    monkeypatch.setattr(artifact_files, "_beam", lambda: SimpleNamespace(match=match))
    assert matching_files("gs://a", "**/x") == ["gs://a/b/x", "gs://a/x"]
    assert sorted(asked) == ["gs://a/**/x", "gs://a/x"]
    asked.clear()
    matching_files("gs://a", "**/c/**/x/**")
    assert sorted(asked) == [
        "gs://a/**/c/**/x/**",
        "gs://a/**/c/x/**",
        "gs://a/c/**/x/**",
        "gs://a/c/x/**",
    ]


def test_empty_objects_that_stand_for_folders_are_no_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("model/", "model/variables/", "model/saved_model.pb")
    found = [SimpleNamespace(path=f"gs://a/{name}") for name in names]
    answer = [SimpleNamespace(metadata_list=found)]
    monkeypatch.setattr(artifact_files, "_beam", lambda: SimpleNamespace(match=lambda _: answer))
    assert matching_files("gs://a", "**") == ["gs://a/model/saved_model.pb"]
    assert matching_folders("gs://a", "*") == ["gs://a/model"]


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


def test_a_file_of_an_earlier_copy_is_gone(folder: str) -> None:
    for name in ("old/1", "old/y/2", "new/y/3"):
        write_bytes(f"{folder}/{name}", b"")
    for source in ("old", "new"):
        copy_folder(f"{folder}/{source}", f"{folder}/copy")
    assert matching_files(f"{folder}/copy", "**") == [f"{folder}/copy/y/3"]


def test_a_local_copy_has_the_files(folder: str) -> None:
    write_bytes(f"{folder}/x/1", b"one")
    with local_copy(f"{folder}/x") as local:
        assert (Path(local) / "1").read_bytes() == b"one"


def test_a_file_is_linked_where_it_can_be_and_else_copied(folder: str) -> None:
    write_bytes(f"{folder}/1", b"one")
    link_or_copy_file(f"{folder}/1", f"{folder}/there/1")
    assert read_bytes(f"{folder}/there/1") == b"one"


def test_a_file_that_is_linked_twice_keeps_its_content(folder: str) -> None:
    write_bytes(f"{folder}/1", b"one")
    for _ in range(2):
        link_or_copy_file(f"{folder}/1", f"{folder}/there/1")
    assert read_bytes(f"{folder}/1") == b"one"
    assert read_bytes(f"{folder}/there/1") == b"one"


def test_a_link_replaces_another_file_and_leaves_what_that_was_linked_to(folder: str) -> None:
    for name in ("1", "2"):
        write_bytes(f"{folder}/{name}", name.encode())
        link_or_copy_file(f"{folder}/{name}", f"{folder}/there")
    assert read_bytes(f"{folder}/there") == b"2"
    assert read_bytes(f"{folder}/1") == b"1"


@pytest.mark.parametrize("source", ["./s", "s/", "a//b", "a/../s"])
def test_a_folder_is_copied_however_its_path_is_written(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("s", "a/b"):
        write_bytes(f"{folder}/x/f", b"one")
    copy_folder(source, "t")
    assert matching_files("t", "**") == ["t/x/f"]

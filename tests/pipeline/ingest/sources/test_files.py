"""Patterns find the files of each source."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.ingest.sources.files import find_input_files


def test_files_are_found_by_pattern_and_sorted_by_name(tiny, logs: Path) -> None:
    files = find_input_files(tiny.settings(), str(logs))
    assert [file.name for file in files.sources[None]] == ["day0.jsonl", "day1.jsonl"]
    assert [file.name for file in files.sources["users"]] == ["users.jsonl"]
    assert files.sources[None][0].size_bytes == (logs / "day0.jsonl").stat().st_size


def test_a_pattern_may_reach_into_folders_and_skips_them_itself(tiny, logs: Path) -> None:
    (logs / "day=2").mkdir()
    (logs / "day1.jsonl").rename(logs / "day=2" / "part.jsonl")
    files = find_input_files(tiny.settings(logs__exposures__path=["day*", "day=*/*"]), str(logs))
    assert [file.name for file in files.sources[None]] == ["day0.jsonl", "day=2/part.jsonl"]


def test_a_file_of_two_patterns_is_read_once(tiny, logs: Path) -> None:
    files = find_input_files(tiny.settings(logs__exposures__path=["day*", "*0.jsonl"]), str(logs))
    assert [file.name for file in files.sources[None]] == ["day0.jsonl", "day1.jsonl"]


def test_a_pattern_without_files_is_named_with_the_closest_ones(tiny, logs: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"logs\.tables\.users\.path: 'user\.jsonl' matches no file in .*did you mean 'users\.jsonl'",
    ):
        find_input_files(tiny.settings(logs__tables__users__path="user.jsonl"), str(logs))


def test_an_empty_folder_is_called_so(tiny, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"logs\.exposures\.path: 'day\*' matches no file in .*: the folder has no files",
    ):
        find_input_files(tiny.settings(), str(tmp_path))


def test_a_folder_that_does_not_exist_is_called_so(tiny, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder: .*nowhere"):
        find_input_files(tiny.settings(), str(tmp_path / "nowhere"))


def test_a_file_of_two_sources_is_refused(tiny, logs: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"users\.jsonl in .* is matched by logs\.exposures\.path and by logs\.tables\.users\.path",
    ):
        find_input_files(tiny.settings(logs__exposures__path="*.jsonl"), str(logs))


def test_evaluation_files_are_told_apart(tiny, logs: Path) -> None:
    settings = tiny.settings(split={"evaluation_files": ["*1.jsonl"]})
    assert find_input_files(settings, str(logs)).evaluation == {"day1.jsonl"}


def test_an_evaluation_pattern_without_files_is_named_with_the_closest_ones(
    tiny, logs: Path
) -> None:
    settings = tiny.settings(split={"evaluation_files": ["day1.json"]})
    with pytest.raises(
        ValueError,
        match=r"split\.evaluation_files: 'day1\.json' matches no exposure file .*'day1\.jsonl'",
    ):
        find_input_files(settings, str(logs))

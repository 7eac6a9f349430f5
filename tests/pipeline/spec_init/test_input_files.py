"""The patterns by which a spec names the files that are given."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from pipeline.spec_init.input_files import common_folder, files_below, log_files, patterns_of


def patterns(folder: Path, *names: str, others: tuple[str, ...] = ()) -> list[str]:
    for name in (*names, *others):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a,b\n")
    return patterns_of(folder, files_below(folder, [folder / name for name in names]))


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["log.csv"], "log.csv"),
        (["log_1.csv", "log_2.csv"], "log_*.csv"),
        (["day=2024-01-01/a.csv", "day=2024-01-02/a.csv"], "day={day}/a.csv"),
        (["shown-20240131.csv", "shown-20240201.csv"], "shown-{day:%Y%m%d}.csv"),
        (["d=2024-01-01/h=1.csv", "d=2024-01-02/h=2.csv"], "d={day}/h=*.csv"),
    ],
)
def test_one_pattern_covers_what_is_different(
    tmp_path: Path, names: list[str], pattern: str
) -> None:
    assert patterns(tmp_path, *names) == [pattern]


def test_files_are_listed_where_a_pattern_would_take_others(tmp_path: Path) -> None:
    found = patterns(tmp_path, "log_1.csv", "log_2.csv", others=("log_9.csv",))
    assert found == ["log_1.csv", "log_2.csv"]


def test_characters_of_patterns_in_names_are_meant_as_they_are(tmp_path: Path) -> None:
    [pattern] = patterns(tmp_path, "a[1]{x}.csv", others=("a1.csv",))
    assert glob.glob(pattern, root_dir=tmp_path) == ["a[1]{x}.csv"]
    assert "{" not in pattern


def test_a_folder_stands_for_its_files_but_for_side_tables_and_hidden_ones(tmp_path: Path) -> None:
    patterns(tmp_path, "day1/a.csv", "day2/a.csv", others=("items.csv", ".hidden", "_SUCCESS"))
    found = log_files([tmp_path], [tmp_path / "items.csv"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["day1/a.csv", "day2/a.csv"]
    assert common_folder([tmp_path / "day1/a.csv", tmp_path / "items.csv"]) == tmp_path


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file .*nowhere"):
        log_files([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="has no files"):
        log_files([tmp_path])

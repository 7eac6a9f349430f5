"""Each data set has a valid spec, and its official files become logs once."""

from __future__ import annotations

import gzip

import pytest

from benchmarks.papers.data_sets import kuairand
from benchmarks.papers.data_sets.sources import SOURCES, checksums


@pytest.mark.parametrize("name", SOURCES)
def test_the_spec_is_valid_and_has_the_tasks_of_the_table(name):
    source = SOURCES[name]
    spec = source.spec()
    assert set(source.default_tasks) <= set(spec.tasks)
    assert set(source.identifiers) <= set(spec.fields)


def test_a_missing_official_file_is_named(tmp_path):
    (tmp_path / "census-income.data.bz2").touch()
    with pytest.raises(FileNotFoundError, match=r"lacks census-income\.test\.gz"):
        SOURCES["census"].logs(tmp_path, tmp_path)


@pytest.fixture
def official(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    for name in kuairand.SIDE_TABLES:
        (folder / name).write_bytes(gzip.compress(b"key\n"))
    log = "user_id,play_time_ms,duration_ms\n1,500,2000\n2,7,0\n"
    (folder / kuairand.LOG).write_bytes(gzip.compress(log.encode()))
    return folder


def test_kuairand_gets_the_share_that_was_watched_and_none_where_the_duration_is_0(
    official, tmp_path
):
    logs = SOURCES["kuairand"].logs(official, tmp_path)
    rows = (logs / "log_standard_with_ratio.csv").read_text().splitlines()
    # 500 ms of 2000 ms.
    assert rows == ["user_id,play_time_ms,duration_ms,watch_ratio", "1,500,2000,0.25", "2,7,0,"]


def test_logs_are_converted_once(official, tmp_path):
    first = SOURCES["kuairand"].logs(official, tmp_path)
    (first / "log_standard_with_ratio.csv").write_text("kept")
    assert (
        SOURCES["kuairand"].logs(official, tmp_path) / "log_standard_with_ratio.csv"
    ).read_text() == "kept"


def test_checksums_name_the_official_files(official):
    assert set(checksums(SOURCES["kuairand"], official)) == {kuairand.LOG, *kuairand.SIDE_TABLES}

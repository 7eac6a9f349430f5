"""Titles of values, from the side tables beside the examples."""

import gzip
import json

import pytest

from pipeline.report.data.titles import read_titles, with_title
from tests.pipeline.report.conftest import INSIGHT


@pytest.fixture
def examples(tmp_path):
    """A folder of examples with one side table, of videos."""
    lines = [
        {"key_field": "video_id"},
        {"key": "v1", "fields": {}, "display": "Alphaville"},
        {"key": "v2", "fields": {}, "display": "x" * 100},
        {"key": "v3", "fields": {}},
        {"key": "v4", "fields": {}, "display": "of no example"},
    ]
    (tmp_path / "tables").mkdir()
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "tables" / "videos.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    return str(tmp_path)


def test_the_candidates_and_entries_of_a_report_have_the_titles_of_their_tables(examples):
    # v1 is a candidate, v2 and v3 are entries; a long title is cut.
    assert read_titles(examples, None, INSIGHT) == {
        "video_id": {"v1": "Alphaville", "v2": "x" * 59 + "…"}
    }


def test_a_slice_has_the_title_of_its_value(examples, run):
    import dataclasses

    verdict = run.evaluation.tasks[0]
    part = dataclasses.replace(verdict.slices[-1], field="video_id", value="v4")
    evaluation = dataclasses.replace(
        run.evaluation, tasks=[dataclasses.replace(verdict, slices=[part])], ranking=[]
    )
    titles = read_titles(examples, evaluation, None)
    assert with_title(titles, part.field, part.value) == "v4 (of no example)"


def test_without_tables_there_are_no_titles(tmp_path):
    assert read_titles(str(tmp_path), None, INSIGHT) == {}


def test_a_value_without_a_title_stands_alone():
    assert with_title({"video_id": {"v1": "Alphaville"}}, "video_id", "v9") == "v9"
    assert with_title({}, "tab", "1") == "1"

"""`where` of a source keeps some of its lines; the others are counted on their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.formats.record_batch import ColumnRows, RecordBatch, RecordRows, TextRows
from pipeline.ingest.formats.text_formats import json_batches
from pipeline.ingest.labelling.labelled_rows import RowLabeller
from pipeline.ingest.labelling.line_filter import LineFilter
from pipeline.ingest.labelling.log_tables import label_file, read_side_table
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.sources.files import find_input_files


def _filter(**where: Any) -> LineFilter:
    return LineFilter(Source(path=["a"], format="jsonl", where=where), [""])


def _batch(records: list[dict[str, Any]]) -> RecordBatch:
    numbers = list(range(1, len(records) + 1))
    return RecordBatch(numbers, [b"line %d" % n for n in numbers], RecordRows(records), [])


def test_lines_whose_columns_hold_the_values_are_kept_with_their_numbers() -> None:
    records = [{"kind": "pv", "n": 1}, {"kind": "buy", "n": 1}, {"n": 1}, {"kind": "pv", "n": 2}]
    kept, filtered = _filter(kind=["pv", "fav"], n=1)(_batch(records))
    assert (kept.numbers, kept.raws) == ([1], [b"line 1"])
    assert kept.rows.records() == [{"kind": "pv", "n": 1}]
    assert filtered == 3


def test_a_value_that_no_condition_can_read_is_a_rejected_line() -> None:
    kept, filtered = _filter(kind="pv")(_batch([{"kind": ["pv"]}, {"kind": "pv"}]))
    ((number, raw, problem),) = kept.unusable
    assert (number, raw, problem.reason) == (1, b"line 1", Reason.WRONG_TYPE)
    assert (kept.numbers, filtered) == ([2], 0)


def test_without_conditions_a_batch_stays_the_same_object() -> None:
    batch = _batch([{"a": 1}])
    assert _filter()(batch).batch is batch


@given(st.lists(st.sampled_from(["pv", "buy", None, 3, 3.5, True]), max_size=30))
def test_kept_rejected_and_filtered_lines_are_the_lines_read(kinds: list[Any]) -> None:
    kept, filtered = _filter(kind=["pv", "3"])(_batch([{"kind": kind} for kind in kinds]))
    assert len(kept.numbers) + len(kept.unusable) + filtered == len(kinds)
    assert kept.rows.column("kind") == [kind for kind in kinds if kind in ("pv", 3)]


@pytest.mark.parametrize(
    "rows",
    [
        RecordRows([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}, {"a": "3", "b": "z"}]),
        ColumnRows(["a", "b"], [["1", "2", "3"], ["x", "y", "z"]], 3),
        TextRows(["a", "b"], [["1", "x"], ["2", "y"], ["3", "z"]]),
    ],
)
def test_rows_that_were_taken_are_the_same_rows(rows: Any) -> None:
    taken, problems = rows.taken([2, 0]), {}
    assert taken.records() == [{"a": "3", "b": "z"}, {"a": "1", "b": "x"}]
    assert [len(taken), taken.column("a"), taken.column("c")] == [2, ["3", "1"], [None, None]]
    digests = rows.digests(problems)
    assert taken.digests(problems) == [digests[2], digests[0]]


def test_lines_of_the_log_reconcile_as_labelled_rejected_and_filtered(tiny, logs: Path) -> None:
    tiny.write(
        logs / "day0.jsonl",
        [tiny.row(number, kind="pv" if number < 3 else "buy") for number in range(10)]
        + [tiny.row(10, kind="pv", price=-1), tiny.row(11, kind={})],
    )
    settings = tiny.settings(logs__exposures__where={"kind": ["pv"]})
    (file, _) = find_input_files(settings, str(logs)).sources[None]
    counts: Counter[tuple[str, ...]] = Counter()
    for batch in label_file(file, 0, settings, RowLabeller(settings)):
        counts += batch.counts
        assert batch.rows.num_rows == 3
    steps = IngestSummary.of(counts, settings).steps
    # 12 lines = 3 rows + 1 price below 0 + 1 kind that is an object + 7 of other kinds
    parse, label = steps["parse"], steps["label"]
    assert (parse.received, parse.passed, parse.rejected, parse.filtered) == (12, 4, 1, 7)
    assert (label.received, label.passed, label.rejected) == (4, 3, 1)


def test_rows_of_a_side_table_are_filtered_too(tiny, logs: Path) -> None:
    tiny.write(
        logs / "users.jsonl",
        [{"user_id": f"u{n}", "age": n, "region": "a", "live": n != 1} for n in range(3)],
    )
    settings = tiny.settings(logs__tables__users__where={"live": [True]})
    files = find_input_files(settings, str(logs)).sources["users"]
    rows, rejected, counts = read_side_table("users", files, settings)
    table = IngestSummary.of(counts, settings).tables["users"]
    assert rows.column("key").to_pylist() == [b"u0", b"u2"]
    assert (table.lines, table.rows, table.filtered, rejected) == (3, 2, 1, [])


def test_a_column_of_where_must_be_in_the_log(tiny, logs: Path) -> None:
    settings = tiny.settings(logs__exposures__where={"clickd": [1]})
    with pytest.raises(ValueError, match=r"logs\.exposures\.where: no column 'clickd' .*'clicked'"):
        check_logs(settings, str(logs))


def test_two_sources_share_a_file_only_if_both_say_which_lines_are_theirs(tiny, logs: Path) -> None:
    shared = {"logs__tables__users__path": "day*"}
    with pytest.raises(ValueError, match="unless 'where' of both tells whose a line is"):
        find_input_files(
            tiny.settings(**shared, logs__exposures__where={"clicked": [1]}), str(logs)
        )
    both = {
        "logs__exposures__where": {"clicked": [1]},
        "logs__tables__users__where": {"clicked": [0]},
    }
    found = find_input_files(tiny.settings(**shared, **both), str(logs))
    assert found.sources[None] == found.sources["users"]


def test_conditions_that_keep_no_line_stop_the_run(tiny) -> None:
    settings = tiny.settings(logs__exposures__where={"kind": ["pw"]})
    counts = Counter({("step", "parse", "received"): 7, ("step", "parse", "filtered"): 7})
    with pytest.raises(
        ValueError, match=r"logs\.exposures\.where keeps none of the 7 lines of day\*: .*kind in pw"
    ):
        IngestSummary.of(counts, settings).check(settings)


def test_a_spec_without_conditions_has_the_settings_of_before(tiny) -> None:
    assert "where" not in tiny.settings().to_json()


def test_lines_of_json_keep_their_problems_in_order() -> None:
    from pipeline.ingest.formats.file_content import LineBatch

    lines = [b'{"kind": []}', b"broken", b'{"kind": "pv"}']
    (batch,) = json_batches([LineBatch(1, lines, {})])
    kept, _ = _filter(kind="pv")(batch)
    assert [number for number, _, _ in kept.unusable] == [1, 2]

"""Rows are read by the spec's rules."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.record_batch import RecordRows, TextRows, record_digest
from pipeline.ingest.labelling.labelled_rows import RowLabeller


def _row(tiny, record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The columns of one usable record."""
    table, rejected = tiny.labelled([record], **changes)
    assert rejected == []
    return table.to_pylist()[0]


def test_a_row_has_its_keys_fields_event_time_and_labels(tiny) -> None:
    # Row 5: clicked, on the second day, 3 of 12 seconds played.
    row = _row(tiny, tiny.row(5, day=1))
    assert (row["request_key"], row["user_key"], row["item_key"]) == (b"r5", b"u2", b"i5")
    assert row["key_of.users"] == b"u2"
    assert (row["field.recent"], row["field.item"], row["field.price"]) == (
        [b"i1", b"i2"],
        b"i5",
        1.25,
    )
    assert row["event_time_us"] == 86_405_000_000
    assert row["day"] == datetime.date(1970, 1, 2).toordinal()
    assert (row["label.click"], row["label.watch"]) == (1.0, 0.25)
    assert (row["file"], row["line"], row["raw"]) == (0, 1, b"raw")


def test_a_label_outside_the_sample_space_is_null(tiny) -> None:
    row = _row(tiny, tiny.row(4))
    assert (row["label.click"], row["label.watch"]) == (0.0, None)


def test_missing_fields_are_null(tiny) -> None:
    record = tiny.row(1, price=None)
    del record["recent"]
    row = _row(tiny, record)
    assert (row["field.recent"], row["field.item"], row["field.price"]) == (None, b"i1", None)


@pytest.mark.parametrize("key", ["request_id", "user_id", "item_id", "time_s"])
@pytest.mark.parametrize("missing", [None, ""])
def test_a_record_without_a_key_is_unusable_and_no_other(
    tiny, key: str, missing: str | None
) -> None:
    table, [entry] = tiny.labelled([tiny.row(1), tiny.row(2) | {key: missing}, tiny.row(3)])
    assert (entry.offset, entry.reason, entry.detail) == (2, Reason.MISSING_KEY, f"{key}: missing")
    assert table.column("line").to_pylist() == [1, 3]


def test_the_first_reason_that_applies_is_given(tiny) -> None:
    wrong = tiny.row(1, price=-1, play_s="a while")
    assert tiny.labelled([wrong])[1][0].detail.startswith("price: ")
    assert tiny.labelled([wrong | {"time_s": "late"}])[1][0].reason == Reason.BAD_EVENT_TIME
    assert (
        tiny.labelled([wrong | {"time_s": "late", "user_id": None}])[1][0].reason
        == Reason.MISSING_KEY
    )


def test_a_record_without_the_key_of_a_side_table_is_usable(tiny) -> None:
    assert _row(tiny, tiny.row(1, user_id=None), keys__user=None)["key_of.users"] is None


def test_a_column_that_the_spec_does_not_name_is_ignored(tiny) -> None:
    strange, plain = _row(tiny, tiny.row(1, experiment={"a": [1]})), _row(tiny, tiny.row(1))
    assert {name for name in plain if strange[name] != plain[name]} == {"digest_high", "digest_low"}


def test_no_rows_are_no_rows(tiny) -> None:
    table, rejected = tiny.labelled([])
    assert (table.num_rows, rejected) == (0, [])


def test_the_digest_is_that_of_the_values_and_not_of_their_order(tiny) -> None:
    row = tiny.row(1)
    assert record_digest(dict(reversed(row.items()))) == record_digest(row)
    assert record_digest(row | {"unread": 1}) != record_digest(row)
    assert record_digest(row | {"user_id": "u9"}) != record_digest(row)


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), float("inf"), 2**70, 2**70 + 1, "null", 1, 1.0, True, "1", "\ud800"],
)
def test_values_that_differ_have_digests_that_differ(value: Any) -> None:
    values = [
        None,
        float("nan"),
        float("inf"),
        2**70,
        2**70 + 1,
        "null",
        1,
        1.0,
        True,
        "1",
        "\ud800",
    ]
    equal = [
        other for other in values if record_digest({"a": [other]}) == record_digest({"a": [value]})
    ]
    assert [repr(other) for other in equal] == [repr(value)]


def test_the_digest_of_a_csv_line_does_not_depend_on_the_order_of_the_columns() -> None:
    def digests(names: list[str], *rows: list[str]) -> list[bytes]:
        return TextRows(names, rows).digests({})

    assert digests(["a", "b"], ["1", "2"], ["3", "4"]) == digests(
        ["b", "a"], ["2", "1"], ["4", "3"]
    )
    assert digests(["a", "b"], ["1", "2"]) != digests(["a", "b"], ["2", "1"])
    assert digests(["a", "b"], ["1", "2"]) != digests(["a", "c"], ["1", "2"])


def test_a_record_that_is_nested_too_deeply_is_unusable(tiny) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    _, [entry] = tiny.labelled([tiny.row(1, unread=nested)])
    assert (entry.reason, entry.detail) == (Reason.MALFORMED, "nested too deeply")


def test_raw_lines_are_kept_only_where_a_later_step_may_reject_the_record(tiny) -> None:
    by_files = {"split": {"evaluation_files": ["*"]}, "logs__deduplicate": False}
    table, _ = RowLabeller(tiny.settings(**by_files))(
        RecordRows([tiny.row(1)]), "log", 0, [1], [b"raw"]
    )
    assert table.column("raw").to_pylist() == [b""]


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (None, Reason.MISSING_KEY),
        ("", Reason.MISSING_KEY),
        (-0.5, Reason.OUT_OF_RANGE),
        ("nan", Reason.NOT_FINITE),
        ("heavy", Reason.WRONG_TYPE),
    ],
)
def test_a_row_without_a_usable_weight_is_rejected(tiny, weight: Any, reason: Reason) -> None:
    rows = [tiny.row(1, w=weight), tiny.row(2, w=0), tiny.row(3, w="1.5")]
    table, rejected = tiny.labelled(rows, weight={"column": "w"})
    assert table.column("weight").to_pylist() == [0.0, 1.5]
    assert [(line.offset, line.reason) for line in rejected] == [(1, reason)]
    assert "w" in rejected[0].detail

"""A record is read by the spec's rules."""

from __future__ import annotations

import datetime

import pytest

from pipeline.ingest.labelled_record import RecordLabeller, record_digest
from pipeline.ingest.rejection import Reason, UnusableLineError


def test_a_record_has_its_keys_fields_event_time_and_labels(tiny) -> None:
    # Row 5: clicked, on the second day, 3 of 12 seconds played.
    record = RecordLabeller(tiny.settings())(tiny.row(5, day=1), file=2, line=7, raw=b"{}")
    assert record.keys == (b"r5", b"u2", b"i5")
    assert record.table_keys == (b"u2",)
    assert record.fields == ((b"i1", b"i2"), (b"i5",), 1.25)
    assert record.event_time_us == 86_405_000_000
    assert record.day == datetime.date(1970, 1, 2).toordinal()
    assert record.labels == (1.0, 0.25)
    assert (record.file, record.line, record.raw) == (2, 7, b"{}")


def test_a_label_outside_the_sample_space_is_none(tiny) -> None:
    assert RecordLabeller(tiny.settings())(tiny.row(4), 0, 1, b"").labels == (0.0, None)


def test_missing_fields_are_none(tiny) -> None:
    record = tiny.row(1, price=None)
    del record["recent"]
    assert RecordLabeller(tiny.settings())(record, 0, 1, b"").fields == (None, (b"i1",), None)


@pytest.mark.parametrize("key", ["request_id", "user_id", "item_id", "time_s"])
@pytest.mark.parametrize("missing", [None, ""])
def test_a_record_without_a_key_is_unusable(tiny, key: str, missing: str | None) -> None:
    with pytest.raises(UnusableLineError, match=f"{key}: missing") as raised:
        RecordLabeller(tiny.settings())(tiny.row(1) | {key: missing}, 0, 1, b"")
    assert raised.value.reason == Reason.MISSING_KEY


def test_a_record_without_the_key_of_a_side_table_is_usable(tiny) -> None:
    settings = tiny.settings(keys__user=None)
    assert RecordLabeller(settings)(tiny.row(1, user_id=None), 0, 1, b"").table_keys == (None,)


def test_a_column_that_the_spec_does_not_name_is_ignored(tiny) -> None:
    labeller = RecordLabeller(tiny.settings())
    strange, plain = labeller(tiny.row(1, experiment={"a": [1]}), 0, 1, b""), labeller(tiny.row(1), 0, 1, b"")
    assert strange._replace(digest=b"") == plain._replace(digest=b"")


def test_the_digest_is_that_of_the_values_and_not_of_their_order(tiny) -> None:
    row = tiny.row(1)
    assert record_digest(dict(reversed(row.items()))) == record_digest(row)
    assert record_digest(row | {"unread": 1}) != record_digest(row)
    assert record_digest(row | {"user_id": "u9"}) != record_digest(row)


def test_raw_lines_are_kept_only_where_a_later_step_may_reject_the_record(tiny) -> None:
    by_files = {"split": {"evaluation_files": ["*"]}, "logs__deduplicate": False}
    assert RecordLabeller(tiny.settings(**by_files))(tiny.row(1), 0, 1, b"raw").raw == b""

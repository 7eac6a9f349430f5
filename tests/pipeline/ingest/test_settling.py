"""Duplicates, stray days and splits are decided once all records are known."""

from __future__ import annotations

import random

import pytest

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.event_days import EventDays
from pipeline.ingest.files import LogFile
from pipeline.ingest.labelled_record import LabelledRecord, RecordLabeller
from pipeline.ingest.rejection import Reason, RejectedLine
from pipeline.ingest.settling import Settling, shard_of

FILES = [LogFile("/logs/a", "a", 0), LogFile("/logs/b", "b", 0)]
FIRST_DAY = 719_163  # 1970-01-01


def _records(tiny, count: int, days: int = 2) -> list[LabelledRecord]:
    labeller = RecordLabeller(tiny.settings())
    return [labeller(tiny.row(number, number % days), number % 2, number, b"raw") for number in range(count)]


def _settled(tiny, records: list[LabelledRecord], days: int = 2, **changes):
    settings = tiny.settings(**changes)
    by_files = settings.split.evaluation_files is not None
    event_days = None if by_files else EventDays.of({FIRST_DAY + day: 1000 for day in range(days)}, evaluation=1)
    return list(Settling(settings, FILES, frozenset({"b"} if by_files else ()), event_days).settle(records))


def _split_of(settled) -> dict[int, str]:
    return {entry[1].line: entry[0] for entry in settled if not isinstance(entry, RejectedLine)}


def test_the_last_day_is_the_evaluation_and_a_share_of_the_rest_the_validation(tiny) -> None:
    splits = _split_of(_settled(tiny, _records(tiny, 2000)))
    assert {line % 2 for line, split in splits.items() if split == EVALUATION} == {1}
    # A fifth of the 1,000 others; the standard deviation is √(1000 · .2 · .8) = 13.
    assert 140 < list(splits.values()).count(VALIDATION) < 260
    assert list(splits.values()).count(EVALUATION) == 1000


def test_the_validation_may_be_taken_from_the_evaluation(tiny) -> None:
    split = {"evaluation_days": 1, "validation_share": 0.5, "validation_of": "evaluation"}
    splits = _split_of(_settled(tiny, _records(tiny, 2000), split=split))
    assert {line % 2 for line, split in splits.items() if split == TRAIN} == {0}
    assert 420 < list(splits.values()).count(VALIDATION) < 580


def test_files_may_tell_the_splits_apart(tiny) -> None:
    splits = _split_of(_settled(tiny, _records(tiny, 100), split={"evaluation_files": ["b"]}))
    assert {line % 2 for line, split in splits.items() if split == EVALUATION} == {1}


def test_a_record_stays_in_its_split_whatever_else_is_in_the_log(tiny) -> None:
    records = _records(tiny, 500)
    some, every = _split_of(_settled(tiny, records[:100])), _split_of(_settled(tiny, records))
    assert some.items() <= every.items()


@pytest.mark.parametrize("seed", range(5))
def test_the_first_of_equal_records_stays_in_any_order_of_arrival(tiny, seed: int) -> None:
    labeller, row = RecordLabeller(tiny.settings()), tiny.row(1)
    copies = [labeller(row, file, line, b"raw") for file, line in [(0, 9), (0, 30), (1, 2), (1, 3)]]
    random.Random(seed).shuffle(copies)
    rejected = [entry for entry in _settled(tiny, copies) if isinstance(entry, RejectedLine)]
    assert [(entry.source, entry.line) for entry in rejected] == [("a", 30), ("b", 2), ("b", 3)]
    assert {(entry.reason, entry.detail, entry.raw) for entry in rejected} == {
        (Reason.DUPLICATE, "equal in every column to a, line 9", b"raw")
    }


def test_equal_records_all_stay_where_the_spec_says_so(tiny) -> None:
    record = _records(tiny, 1)[0]
    assert len(_split_of(_settled(tiny, [record, record._replace(line=5)], logs__deduplicate=False))) == 2


def test_the_order_is_the_same_for_any_order_of_arrival(tiny) -> None:
    records = _records(tiny, 100)
    assert _settled(tiny, records) == _settled(tiny, records[::-1])


def test_a_record_later_than_the_last_day_is_rejected(tiny) -> None:
    record = RecordLabeller(tiny.settings())(tiny.row(1, day=47_482), 0, 8, b"raw")
    (entry,) = _settled(tiny, [record])
    assert entry == RejectedLine(
        "a", 8, Reason.STRAY_EVENT_TIME, "on 2100-01-01, later than the last day of the log, 1970-01-02", b"raw"
    )


def test_equal_records_share_a_shard_and_others_spread(tiny) -> None:
    records = _records(tiny, 1000)
    shards = [shard_of(record.digest, 4) for record in records]
    # 250 each, with a standard deviation of √(1000 · ¼ · ¾) = 14.
    assert all(180 < shards.count(shard) < 320 for shard in range(4))
    assert shards == [shard_of(record.digest, 4) for record in records]

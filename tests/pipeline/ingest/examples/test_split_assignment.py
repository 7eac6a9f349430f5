"""Duplicates, stray days and splits are decided once all records are known."""

from __future__ import annotations

import datetime
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.accounting.rejection import Reason, RejectedLine
from pipeline.ingest.examples.split_assignment import AssignedShard, SplitAssignment
from pipeline.ingest.labelling.labelled_rows import shard_numbers
from pipeline.ingest.settings.log_days import EventDays, SpanDay

FILES = ["a", "b"]
FIRST_DAY = 719_163  # 1970-01-01


def _rows(tiny, count: int, days: int = 2) -> pa.Table:
    """Row i has line i, day i modulo `days` and file i modulo 2."""
    table, _ = tiny.labelled([tiny.row(number, number % days) for number in range(count)], first=0)
    return _with(table, file=np.arange(count, dtype=np.int32) % 2)


def _with(table: pa.Table, **columns: Any) -> pa.Table:
    for name, values in columns.items():
        index = table.column_names.index(name)
        table = table.set_column(index, name, pa.array(values, table.schema.field(index).type))
    return table


def _assigned(tiny, rows: pa.Table, days: int = 2, **changes: Any) -> AssignedShard:
    settings = tiny.settings(**changes)
    by_files = settings.split.evaluation_files is not None
    event_days = (
        None
        if by_files
        else EventDays.of({FIRST_DAY + day: 1000 for day in range(days)}, evaluation=1)
    )
    return SplitAssignment(settings, FILES, frozenset({"b"} if by_files else ()), event_days)(rows)


def _split_of(assigned: AssignedShard) -> dict[int, str]:
    return {
        line: split
        for split, rows in assigned.splits.items()
        for line in rows.column("line").to_pylist()
    }


def test_the_last_day_is_the_evaluation_and_a_share_of_the_rest_the_validation(tiny) -> None:
    splits = _split_of(_assigned(tiny, _rows(tiny, 2000)))
    assert {line % 2 for line, split in splits.items() if split == EVALUATION} == {1}
    # A fifth of the 1,000 others; the standard deviation is √(1000 · .2 · .8) = 13.
    assert 140 < list(splits.values()).count(VALIDATION) < 260
    assert list(splits.values()).count(EVALUATION) == 1000


def test_the_validation_may_be_taken_from_the_evaluation(tiny) -> None:
    split = {"evaluation_days": 1, "validation_share": 0.5, "validation_of": "evaluation"}
    splits = _split_of(_assigned(tiny, _rows(tiny, 2000), split=split))
    assert {line % 2 for line, split in splits.items() if split == TRAIN} == {0}
    assert 420 < list(splits.values()).count(VALIDATION) < 580


def test_files_may_tell_the_splits_apart(tiny) -> None:
    splits = _split_of(_assigned(tiny, _rows(tiny, 100), split={"evaluation_files": ["b"]}))
    assert {line % 2 for line, split in splits.items() if split == EVALUATION} == {1}


def test_a_record_stays_in_its_split_whatever_else_is_in_the_log(tiny) -> None:
    rows = _rows(tiny, 500)
    some, every = _split_of(_assigned(tiny, rows.slice(0, 100))), _split_of(_assigned(tiny, rows))
    assert some.items() <= every.items()


@pytest.mark.parametrize("seed", range(5))
def test_the_first_of_equal_records_stays_in_any_order_of_arrival(tiny, seed: int) -> None:
    places = [(0, 9), (0, 30), (1, 2), (1, 3)]
    random.Random(seed).shuffle(places)
    copies = _with(
        tiny.labelled([tiny.row(1)] * 4)[0],
        file=[file for file, _ in places],
        line=[line for _, line in places],
    )
    rejected = _assigned(tiny, copies).rejected
    assert [(entry.source, entry.offset) for entry in rejected] == [("a", 30), ("b", 2), ("b", 3)]
    assert {(entry.reason, entry.detail, entry.raw) for entry in rejected} == {
        (Reason.DUPLICATE, "equal in every column to a, line 9", b"raw")
    }


def test_equal_records_all_stay_where_the_spec_says_so(tiny) -> None:
    assert (
        len(
            _split_of(_assigned(tiny, tiny.labelled([tiny.row(1)] * 2)[0], logs__deduplicate=False))
        )
        == 2
    )


def test_the_order_is_the_same_for_any_order_of_arrival(tiny) -> None:
    rows = _rows(tiny, 100)
    assert _assigned(tiny, rows) == _assigned(tiny, rows.take(list(range(99, -1, -1))))


def test_a_record_later_than_the_last_day_is_rejected(tiny) -> None:
    assigned = _assigned(tiny, tiny.labelled([tiny.row(1, day=47_482)], first=8)[0])
    assert assigned.splits == {}
    [entry] = assigned.rejected
    assert entry == RejectedLine(
        "a",
        8,
        Reason.STRAY_EVENT_TIME,
        "on 2100-01-01, later than the last day of the log, 1970-01-02",
        b"raw",
    )


def test_equal_records_share_a_shard_and_others_spread(tiny) -> None:
    rows = _rows(tiny, 1000)
    shards = shard_numbers(rows, 4).tolist()
    # 250 each, with a standard deviation of √(1000 · ¼ · ¾) = 14.
    assert all(180 < shards.count(shard) < 320 for shard in range(4))
    assert shards == shard_numbers(_rows(tiny, 1000), 4).tolist()


def test_a_record_of_another_day_than_the_spans_is_rejected_and_the_others_train(tiny) -> None:
    assigned = SplitAssignment(tiny.settings(), FILES, frozenset(), SpanDay(FIRST_DAY))(
        _rows(tiny, 200, days=2)
    )
    assert set(assigned.splits) == {TRAIN, VALIDATION}
    assert {line % 2 for line in _split_of(assigned)} == {0}
    assert {entry.reason for entry in assigned.rejected} == {Reason.STRAY_EVENT_TIME}
    assert {entry.detail for entry in assigned.rejected} == {
        "on 1970-01-02, in the logs of 1970-01-01"
    }
    assert len(assigned.rejected) == 100


def _by_share(tiny, rows: pa.Table, **split: Any) -> dict[int, str]:
    settings = tiny.settings(split=split)
    return _split_of(SplitAssignment(settings, FILES, frozenset(), None)(rows))


@pytest.mark.parametrize("validation_of", ["train", "evaluation"])
def test_a_share_of_rows_may_judge_the_model(tiny, validation_of: str) -> None:
    splits = _by_share(
        tiny,
        _rows(tiny, 2000),
        evaluation_share=0.3,
        validation_share=0.5,
        validation_of=validation_of,
    )
    counts = {
        split: list(splits.values()).count(split) for split in (TRAIN, VALIDATION, EVALUATION)
    }
    # 600 of 2,000, with a standard deviation of √(2000 · .3 · .7) = 20, and half of one part.
    judging = counts[EVALUATION] + (counts[VALIDATION] if validation_of == "evaluation" else 0)
    assert 520 < judging < 680
    halved = TRAIN if validation_of == "train" else EVALUATION
    assert abs(counts[VALIDATION] - counts[halved]) < 170


def test_a_share_of_users_keeps_the_exposures_of_a_user_together(tiny) -> None:
    lines = [tiny.row(number, user_id=f"u{number % 500}") for number in range(2000)]
    rows, _ = tiny.labelled(lines, first=0)
    splits = _by_share(tiny, rows, evaluation_share=0.3, validation_share=0.2, by="user")
    by_user = {
        number % 500: {splits[line] for line in range(number, 2000, 500)} for number in range(500)
    }
    assert all(len(of_user) == 1 for of_user in by_user.values())
    users = [next(iter(of_user)) for of_user in by_user.values()]
    # 150 of 500 users, √(500 · .3 · .7) = 10; and 70 of the other 350, √(350 · .2 · .8) = 7.5.
    assert 110 < users.count(EVALUATION) < 190
    assert 40 < users.count(VALIDATION) < 100


def test_the_split_of_a_row_does_not_depend_on_the_other_rows(tiny) -> None:
    for by in ("row", "user"):
        rows = _rows(tiny, 200)
        whole = _by_share(tiny, rows, evaluation_share=0.4, by=by)
        part = _by_share(tiny, rows.slice(50, 100), evaluation_share=0.4, by=by)
        assert part == {line: whole[line] for line in range(50, 150)}


def test_a_day_of_a_run_by_span_has_no_evaluation_of_its_own(tiny) -> None:
    split = {"evaluation_share": 0.5, "validation_share": 0.2}
    settings = tiny.settings(day=datetime.date(1970, 1, 1), split=split)
    day = SpanDay(FIRST_DAY)
    rows = _rows(tiny, 200, days=1)
    splits = _split_of(SplitAssignment(settings, FILES, frozenset(), day)(rows))
    assert set(splits.values()) == {TRAIN, VALIDATION}


@pytest.mark.parametrize(
    ("keys", "is_one_exposure"),
    [
        ({}, False),
        ({"user": "user_id", "item": "item_id"}, False),
        ({"user": "user_id", "request": "request_id"}, True),
        ({"event_time": {"column": "time_s", "unit": "s"}}, True),
    ],
)
def test_equal_lines_are_one_exposure_by_default_only_where_a_request_or_time_tells(
    tiny, keys: dict[str, Any], is_one_exposure: bool
) -> None:
    """Of users and items alone, a second equal line may be a second exposure."""
    changes = {"keys": keys, "split": {"evaluation_share": 0.5}}
    for deduplicate, expected in ((None, is_one_exposure), (True, True), (False, False)):
        settings = tiny.settings(**changes, logs__deduplicate=deduplicate)
        assert settings.deduplicates is expected
        rows, _ = tiny.labelled([tiny.row(1)] * 2, **changes, logs__deduplicate=deduplicate)
        assigned = SplitAssignment(settings, ["log"], frozenset(), None)(rows)
        assert [line.reason for line in assigned.rejected] == [Reason.DUPLICATE] * expected

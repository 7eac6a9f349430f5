"""Ingestion warns of what may spoil a model, and stops nothing."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from pipeline.ingest.accounting.ingest_warnings import ingestion_warnings
from pipeline.ingest.accounting.summary import IngestSummary, TaskCounts

SPLITS = ("train", "validation", "evaluation")


def _summary(**changes: Any) -> IngestSummary:
    good = {split: _counts(100, 40, 60) for split in SPLITS}
    content: dict[str, Any] = {
        "lines": 300,
        "rejected": {},
        "examples": dict.fromkeys(SPLITS, 100),
        "tasks": {"click": good, "watch": {split: TaskCounts(examples=9, label_mean=1.0) for split in SPLITS}},
        "records_of_day": {},
        "evaluation_days": [],
        "tables": {},
        "unreadable_files": [],
    }  # fmt: skip
    return IngestSummary(**content | changes)


def _counts(examples: int, positives: int, negatives: int) -> TaskCounts:
    mean = positives / examples if examples else None
    return TaskCounts(examples=examples, label_mean=mean, positives=positives, negatives=negatives)


def test_a_summary_in_order_warns_of_nothing() -> None:
    assert ingestion_warnings(_summary(), 100) == []


def test_a_summary_of_an_earlier_version_warns_of_nothing() -> None:
    tasks = {"click": {split: TaskCounts(examples=100, label_mean=0.0) for split in SPLITS}}
    assert ingestion_warnings(_summary(tasks=tasks), 100) == []


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("counts", "what"),
    [
        (_counts(0, 0, 0), "examples"),
        (_counts(100, 0, 100), "positives"),
        (_counts(100, 100, 0), "negatives"),
        (TaskCounts(examples=0, label_mean=None), "examples"),
    ],
)
def test_a_task_that_a_split_lacks_is_named(split: str, counts: TaskCounts, what: str) -> None:
    tasks = {"rare": {one: _counts(100, 1, 99) for one in SPLITS} | {split: counts}}
    (warning,) = ingestion_warnings(_summary(tasks=tasks))
    assert warning.startswith(f"rare: no {what} in {split}; the task ")


def test_splits_that_lack_the_same_are_named_together() -> None:
    tasks = {"rare": {split: _counts(100, 0, 100) for split in SPLITS}}
    (warning,) = ingestion_warnings(_summary(tasks=tasks))
    assert warning.startswith("rare: no positives in train and validation and evaluation; ")


@pytest.mark.parametrize(("batch_size", "warnings"), [(100, 0), (101, 1), (None, 0)])
def test_fewer_examples_than_a_batch_are_told(batch_size: int | None, warnings: int) -> None:
    found = ingestion_warnings(_summary(), batch_size)
    assert len(found) == warnings
    assert all("100 examples to train on are fewer than trainer.batch_size (101)" in one for one in found)  # fmt: skip


def test_an_empty_day_and_a_thin_one_are_named() -> None:
    day = datetime.date(2022, 5, 1)
    lines = [1000, 0, 1000, 9, 10]
    days = {day + datetime.timedelta(days=number): count for number, count in enumerate(lines)}
    # The usual day has 10 lines, the median; of 1,000-line days the thin one is told.
    assert [text[:22] for text in ingestion_warnings(_summary(lines_of_day=days))] == [
        "2022-05-02 has no line"
    ]
    days[day + datetime.timedelta(days=4)] = 1000
    assert [text[:22] for text in ingestion_warnings(_summary(lines_of_day=days))] == [
        "2022-05-02 has no line",
        "2022-05-04 has 9 lines",
    ]


def test_values_that_no_vocabulary_can_hold_are_counted_by_field() -> None:
    (warning,) = ingestion_warnings(_summary(line_breaks={"comment": 1200}))
    assert warning.startswith("comment: 1,200 values hold a line break")

"""The ingestion summary of several days, from the summaries of single days."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.accounting.summary import (
    ActionCounts,
    IngestSummary,
    StepCounts,
    TableCounts,
    TaskCounts,
)

Key = TypeVar("Key")


def window_summary(
    training: Sequence[IngestSummary], judging: IngestSummary, evaluation_day: datetime.date
) -> IngestSummary:
    """Return the sum of the summaries of single days.

    Args:
        training: summaries of the days that train.
        judging: the summary of the day whose train and validation splits judge the model. Side
            tables count as this day read them.
        evaluation_day: the day that judges the model.
    """
    days = [*training, judging]
    parts = {
        TRAIN: (training, [TRAIN]),
        VALIDATION: (training, [VALIDATION]),
        EVALUATION: ([judging], [TRAIN, VALIDATION]),
    }
    return IngestSummary(
        lines=sum(day.lines for day in days),
        lines_of_other_days=sum(day.lines_of_other_days for day in days),
        steps=_steps([day.steps for day in days]),
        actions=_actions([day.actions for day in days if day.actions is not None]),
        rejected=_sum(day.rejected for day in days),
        examples={
            into: sum(day.examples[split] for day in of for split in splits)
            for into, (of, splits) in parts.items()
        },
        tasks={
            task: {
                into: _task_counts(day.tasks[task][split] for day in of for split in splits)
                for into, (of, splits) in parts.items()
            }
            for task in judging.tasks
        },
        records_of_day=_sum(day.records_of_day for day in days),
        evaluation_days=[evaluation_day],
        tables={name: _table_counts(name, days) for name in judging.tables},
        unreadable_files=sorted({file for day in days for file in day.unreadable_files}),
        line_breaks=_sum(day.line_breaks for day in days),
        lines_of_day=_sum(day.lines_of_day for day in days),
    )


def _sum(counts: Iterable[dict[Key, int]]) -> dict[Key, int]:
    total: Counter[Key] = Counter()
    for part in counts:
        total.update(part)
    return dict(total)


def _steps(days: Sequence[dict[str, StepCounts]]) -> dict[str, StepCounts]:
    return {name: StepCounts(**_sum(day[name].model_dump() for day in days)) for name in days[-1]}


def _actions(days: Sequence[ActionCounts]) -> ActionCounts | None:
    if not days:
        return None
    return ActionCounts(
        lines=sum(day.lines for day in days),
        lines_of_other_days=sum(day.lines_of_other_days for day in days),
        steps=_steps([day.steps for day in days]),
        rejected=_sum(day.rejected for day in days),
        joined=_sum(day.joined for day in days),
    )


def _task_counts(parts: Iterable[TaskCounts]) -> TaskCounts:
    parts = list(parts)
    known = [part for part in parts if part.label_mean is not None]
    examples = sum(part.examples for part in known)
    labels = sum(part.examples * (part.label_mean or 0.0) for part in known)
    return TaskCounts(
        examples=examples,
        label_mean=round(labels / examples, 6) if examples else None,
        positives=_total([part.positives for part in parts]),
        negatives=_total([part.negatives for part in parts]),
    )


def _total(counts: list[int | None]) -> int | None:
    """Return the sum of counts; None where a day does not tell its own."""
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _table_counts(name: str, days: Sequence[IngestSummary]) -> TableCounts:
    unjoined = sum(day.tables[name].examples_without_row for day in days)
    return days[-1].tables[name].model_copy(update={"examples_without_row": unjoined})

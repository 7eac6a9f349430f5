"""What a summary of ingestion warns of: it stops no run, and may spoil a model."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from feature_spec.names import EVALUATION, TRAIN, VALIDATION
from pipeline.ingest.accounting.summary import IngestSummary, TaskCounts

_THIN_DAY = 0.01
_CONSEQUENCES = {
    TRAIN: "learns nothing from them",
    VALIDATION: "cannot tell when to stop",
    EVALUATION: "cannot be judged",
}


def ingestion_warnings(summary: IngestSummary, batch_size: int | None = None) -> list[str]:
    """Return a sentence for each thing that may spoil a model.

    Args:
        summary: the summary of an ingestion, or of the days of a run by span.
        batch_size: the trainer's; None if it is not known.
    """
    return [
        *_of_tasks(summary),
        *_of_batches(summary, batch_size),
        *_of_days(summary),
        *(
            f"{field}: {count:,} values hold a line break, which no vocabulary can hold; they "
            "share the rows of unknown values (hash_buckets would tell them apart)"
            for field, count in summary.line_breaks.items()
        ),
    ]


def _of_tasks(summary: IngestSummary) -> Iterator[str]:
    for task, splits in summary.tasks.items():
        lacks: dict[str, list[str]] = {}
        for split, counts in splits.items():
            if summary.examples.get(split) and (what := _lacking(counts)):
                lacks.setdefault(what, []).append(split)
        for what, names in lacks.items():
            effect = ", ".join(_CONSEQUENCES[name] for name in names)
            yield f"{task}: no {what} in {' and '.join(names)}; the task {effect}"


def _lacking(counts: TaskCounts) -> str:
    if not counts.examples:
        return "examples"
    if counts.positives == 0:
        return "positives"
    return "negatives" if counts.negatives == 0 else ""


def _of_batches(summary: IngestSummary, batch_size: int | None) -> Iterator[str]:
    examples = summary.examples.get(TRAIN, 0)
    if batch_size is not None and 0 < examples < batch_size:
        yield (
            f"{examples:,} examples to train on are fewer than trainer.batch_size "
            f"({batch_size:,}): each epoch is one smaller batch"
        )


def _of_days(summary: IngestSummary) -> Iterator[str]:
    usual = statistics.median(summary.lines_of_day.values()) if summary.lines_of_day else 0
    for day, lines in sorted(summary.lines_of_day.items()):
        if not lines:
            yield f"{day} has no lines: the day adds nothing; once it has, run again"
        elif lines < _THIN_DAY * usual:
            yield f"{day} has {lines:,} lines, of {usual:,.0f} on a usual day"

"""The metrics of a measurement as a table, beside those of the serving model."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.evaluate.evaluation_result import Estimate, Measurement
from pipeline.report.elements.metric_meanings import change_cell, interval_text, meaning_of
from pipeline.report.elements.section import Cell, Table, Tone


def measurement_table(caption: str, measured: Measurement) -> Table:
    """A row a metric. Without a serving model there is nothing to compare with, and no column for it."""
    is_compared = bool(measured.baseline)
    rows: list[list[str | Cell]] = []
    for name, estimate in measured.metrics.items():
        rows.append(
            [Cell(meaning_of(name).label, hint=meaning_of(name).meaning), estimate_cell(estimate)]
        )
        if is_compared:
            rows[-1] += [
                estimate_cell(measured.baseline.get(name)),
                change_cell(name, measured.changes.get(name)),
            ]
    return Table(
        caption=caption,
        columns=["Metric", "This model", *(["Serving model", "Change"] if is_compared else [])],
        rows=rows,
        hints={
            "Change": "This model minus the serving model. ▲ better, ▼ worse; grey within noise."
        },
    )


def whole_split(parts: Sequence[Measurement]) -> Measurement | None:
    """Of the parts of an evaluation split, that which is all of it."""
    return next((part for part in parts if not part.field), None)


def estimate_cell(estimate: Estimate | None, tone: Tone = "") -> Cell:
    """A value, and below it its interval where there is one."""
    if estimate is None or estimate.value is None:
        return Cell("–", "quiet")
    return Cell(f"{estimate.value:.4f}", tone, detail=interval_text(estimate))


def estimate_text(estimate: Estimate | None) -> str:
    """A value with its interval, where there is one."""
    if estimate is None or estimate.value is None:
        return "–"
    interval = interval_text(estimate)
    return f"{estimate.value:.4f} ({interval})" if interval else f"{estimate.value:.4f}"

"""Estimates on a page: cells, texts and tables with intervals, and their direction and noise."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.evaluate.evaluation_result import Estimate, Measurement
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.report.elements.section import Cell, Table, Tone


def is_better(metric: str, change: Estimate | None) -> bool | None:
    """Return whether a change is an improvement; None without a change or a direction."""
    upwards = meaning_of(metric).higher_is_better
    if change is None or not change.value or upwards is None:
        return None
    return (change.value > 0.0) == upwards


def change_cell(metric: str, change: Estimate | None) -> Cell:
    """Return a cell with a change: ▲ for better, whatever the metric's direction.

    The cell is grey within noise, and where there is no interval to tell.
    """
    return _change_cell(change, is_better(metric, change))


def gain_cell(gain: Estimate | None) -> Cell:
    """Return a cell with an MTL gain, which is above 0 where it is better."""
    return _change_cell(gain, gain.value > 0.0 if gain is not None and gain.value else None)


def _change_cell(change: Estimate | None, better: bool | None) -> Cell:
    if change is None or change.value is None or better is None:
        return Cell(
            "–" if change is None or change.value is None else f"{change.value:+.4f}", "quiet"
        )
    tone: Tone = "quiet" if not change.is_clear else "good" if better else "bad"
    detail = interval_text(change, "+.4f") or "no interval: cannot tell"
    return Cell(f"{'▲' if better else '▼'} {change.value:+.4f}", tone, detail=detail)


def interval_text(estimate: Estimate, form: str = ".4f") -> str:
    """Return an interval such as ``0.71 to 0.73``; "" if there is none."""
    if estimate.lower is None or estimate.upper is None:
        return ""
    return f"{estimate.lower:{form}} to {estimate.upper:{form}}"


def turned(metric: str, change: Estimate | None) -> Estimate | None:
    """Return a change with the sign that makes an improvement positive."""
    if change is None or change.value is None or meaning_of(metric).higher_is_better is not False:
        return change
    lower, upper = change.lower, change.upper
    return Estimate(
        value=-change.value,
        lower=None if upper is None else -upper,
        upper=None if lower is None else -lower,
    )


def measurement_table(caption: str, measured: Measurement) -> Table:
    """Return a table with a row for each metric.

    Without a serving model the table has no columns for a comparison.
    """
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
            "Change": "This model minus the serving model. ▲ better, ▼ worse; grey within noise "
            "or without an interval."
        },
    )


def whole_split(parts: Sequence[Measurement]) -> Measurement | None:
    """Return the part of an evaluation split that is all of it."""
    return next((part for part in parts if not part.field), None)


def estimate_cell(estimate: Estimate | None, tone: Tone = "") -> Cell:
    """Return a cell with a value and, below it, its interval, if any."""
    if estimate is None or estimate.value is None:
        return Cell("–", "quiet")
    return Cell(f"{estimate.value:.4f}", tone, detail=interval_text(estimate))


def estimate_text(estimate: Estimate | None) -> str:
    """Return a value with its interval, if any."""
    if estimate is None or estimate.value is None:
        return "–"
    interval = interval_text(estimate)
    return f"{estimate.value:.4f} ({interval})" if interval else f"{estimate.value:.4f}"

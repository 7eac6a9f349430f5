"""Numbers of an evaluation as people read them."""

from __future__ import annotations

from pipeline.evaluate.evaluation_result import Estimate


def number_text(value: float | None) -> str:
    """Four digits behind the point; a dash for None."""
    return "–" if value is None else f"{value:.4f}"


def change_text(change: Estimate | None) -> str:
    """A difference with its sign and, where there is one, its interval; a dash for None."""
    if change is None or change.value is None:
        return "–"
    interval = (
        ""
        if change.lower is None or change.upper is None
        else f" ({change.lower:+.4f} to {change.upper:+.4f})"
    )
    return f"{change.value:+.4f}{interval}"

"""What all figures of a report have in common. Colours are of middling lightness, so that they do on light and dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pipeline.evaluate.evaluation_result import Estimate

BLUE, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#3f83d8",
    "#e07f35",
    "#2f9e73",
    "#9a6fd0",
    "#d4504a",
    "#8a929c",
)
# Of runs side by side.
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, "#c79a1e", "#4aa8b5", GREY)


def figure(**layout: Any) -> go.Figure:
    """An empty figure."""
    # Plotly's template would bring kilobytes of colours that the page sets anyway.
    made = go.Figure(
        layout={"template": "none", "margin": {"l": 8, "r": 12, "t": 8, "b": 8}, **layout}
    )
    made.update_xaxes(automargin=True)
    made.update_yaxes(automargin=True)
    made.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"align": "left"},
    )
    return made


def reach(estimates: Sequence[Estimate | None]) -> dict[str, Any]:
    """Error bars for the intervals of estimates; none where an estimate has no interval."""
    down, up = (
        zip(*(_reach(estimate) for estimate in estimates), strict=True) if estimates else ((), ())
    )
    return {
        "type": "data",
        "symmetric": False,
        "array": list(up),
        "arrayminus": list(down),
        "thickness": 1.5,
        "width": 4,
        "visible": any(down) or any(up),
    }


def _reach(estimate: Estimate | None) -> tuple[float, float]:
    if (
        estimate is None
        or estimate.value is None
        or estimate.lower is None
        or estimate.upper is None
    ):
        return 0.0, 0.0
    return max(estimate.value - estimate.lower, 0.0), max(estimate.upper - estimate.value, 0.0)


def axis_range(estimates: Sequence[Estimate | None], *, holds_zero: bool) -> list[float]:
    """The ends of an axis that shows all estimates with their intervals, and 0 if so wanted, with some room at both sides."""
    ends = [0.0] if holds_zero else []
    for estimate in estimates:
        if estimate is not None and estimate.value is not None:
            ends += [
                end for end in (estimate.value, estimate.lower, estimate.upper) if end is not None
            ]
    lowest, highest = min(ends, default=0.0), max(ends, default=0.0)
    room = 0.08 * (highest - lowest) or 1.0
    return [lowest - room, highest + room]


def rows_height_px(rows: int, row_px: int = 34) -> int:
    """The height of a figure with so many rows of marks."""
    return 90 + row_px * max(rows, 2)

"""Figures of a report: colours, axes, error bars, and the bubble picture of PLE, Fig 3."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from pipeline.evaluate.evaluation_result import Estimate
from pipeline.report.elements.section import BubblePicture, Picture

BLUE, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#3f83d8",
    "#e07f35",
    "#2f9e73",
    "#9a6fd0",
    "#d4504a",
    "#8a929c",
)
# The colours of runs side by side.
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, "#c79a1e", "#4aa8b5", GREY)


def figure(**layout: Any) -> go.Figure:
    """Return an empty figure."""
    # Plotly's template would add kilobytes of colours that the page sets anyway.
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
    """Return error bars for the intervals of estimates; estimates without interval have none."""
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


def axis_range(
    estimates: Sequence[Estimate | None],
    *,
    holds_zero: bool,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> list[float]:
    """Return the ends of an axis that shows all estimates with their intervals, and some room.

    Args:
        estimates: the estimates to show.
        holds_zero: whether the axis also shows 0.
        within: the values that are possible, which the room does not leave.
    """
    ends = [0.0] if holds_zero else []
    for estimate in estimates:
        if estimate is not None and estimate.value is not None:
            ends += [
                end for end in (estimate.value, estimate.lower, estimate.upper) if end is not None
            ]
    lowest, highest = min(ends, default=0.0), max(ends, default=0.0)
    room = 0.08 * (highest - lowest) or 1.0
    return [max(lowest - room, within[0]), min(highest + room, within[1])]


def rows_height_px(rows: int, row_px: int = 34) -> int:
    """Return the height of a figure with `rows` rows of marks, in pixels."""
    return 90 + row_px * max(rows, 2)


_LARGEST_PX, _SMALLEST_PX = 46.0, 10.0


def bubbles(
    names: Sequence[str],
    values: Mapping[str, Sequence[Estimate | None]],
    *,
    sizes: Sequence[float],
    colours: Sequence[str],
    against: str,
    labelled: bool = False,
) -> BubblePicture:
    """Return the bubble picture.

    Args:
        names: the names of the bubbles.
        values: gains by task, one for each bubble; above 0 is better.
        sizes: diameters of the bubbles in pixels.
        colours: the colours of the bubbles.
        against: words for what the gains are measured against.
        labelled: whether names stand beside the bubbles.
    """
    tasks = _farthest_apart(values)
    first, second = tasks[0], tasks[1]
    rows = {
        task: [_bubble(estimate) for estimate in estimates] for task, estimates in values.items()
    }
    made = figure(
        xaxis={"title": {"text": f"gain of {first}"}, "zeroline": True, "zerolinewidth": 2},
        yaxis={"title": {"text": f"gain of {second}"}, "zeroline": True, "zerolinewidth": 2},
        showlegend=False,
    )
    made.add_scatter(
        x=[row[0] for row in rows[first]],
        y=[row[0] for row in rows[second]],
        error_x=_bars(rows[first]),
        error_y=_bars(rows[second]),
        mode="markers+text" if labelled else "markers",
        text=list(names),
        textposition="top center",
        marker={"size": list(sizes), "color": list(colours), "opacity": 0.75, "line": {"width": 1}},
        hovertemplate=(
            "<b>%{text}</b><br>%{xaxis.title.text}: %{x:+.4f}<br>%{yaxis.title.text}: "
            "%{y:+.4f}<extra></extra>"
        ),
    )
    corners = {
        ("right", "top"): "both gain",
        ("left", "top"): "seesaw",
        ("right", "bottom"): "seesaw",
        ("left", "bottom"): "both lose",
    }
    for (xanchor, yanchor), text in corners.items():
        place = {
            "x": float(xanchor == "right"),
            "y": float(yanchor == "top"),
            "xref": "paper",
            "yref": "paper",
        }
        made.add_annotation(
            **place, text=text, showarrow=False, opacity=0.6, xanchor=xanchor, yanchor=yanchor
        )
    picture = Picture(
        title=f"Gain {against}",
        describes=f"Gains of two tasks {against}; the tables have the numbers.",
        figure=made,
        height_px=420,
    )
    return BubblePicture(picture=picture, choices=tasks, values=rows)


def _farthest_apart(values: Mapping[str, Sequence[Estimate | None]]) -> list[str]:
    """Return the tasks; the first two gain most and least in the last bubble."""
    gains = {
        task: (estimates[-1].value or 0.0) if estimates[-1] else 0.0
        for task, estimates in values.items()
    }
    ends = [max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)]
    return list(dict.fromkeys([*ends, *values]))


def bubble_sizes(counts: Sequence[int]) -> list[float]:
    """Return diameters in pixels whose areas go with the counts, down to a visible size."""
    most = max(counts, default=0) or 1
    return [max(_LARGEST_PX * (count / most) ** 0.5, _SMALLEST_PX) for count in counts]


def _bubble(estimate: Estimate | None) -> tuple[float | None, float, float]:
    if estimate is None or estimate.value is None:
        return None, 0.0, 0.0
    if estimate.lower is None or estimate.upper is None:
        return estimate.value, 0.0, 0.0
    return (
        estimate.value,
        max(estimate.value - estimate.lower, 0.0),
        max(estimate.upper - estimate.value, 0.0),
    )


def _bars(rows: Sequence[tuple[float | None, float, float]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "arrayminus": [row[1] for row in rows],
        "array": [row[2] for row in rows],
        "thickness": 1,
        "width": 0,
        "color": GREY,
    }

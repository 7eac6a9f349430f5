"""The bubble picture of PLE, Fig 3: the gain of one task beside that of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.evaluation_result import Estimate
from pipeline.report.figure import BLUE, GREY, figure
from pipeline.report.metric_meanings import gain_cell, meaning_of, turned
from pipeline.report.run_data import RunData
from pipeline.report.section import BubblePicture, Note, Picture, Section, Table
from pipeline.report.sections.tasks import NOT_ALONE

_LARGEST_PX, _SMALLEST_PX = 46.0, 10.0


def mtl_gain_section(run: RunData) -> Section:
    """Whether one task gains at the cost of another."""
    blocks: list[Any] = []
    points, against = _points(run)
    tasks = [verdict.task for verdict in run.evaluation.tasks] if run.evaluation is not None else []
    if run.gains is None:
        blocks.append(
            Note(NOT_ALONE + (" Until then the picture shows the change against the serving model." if points else ""))
        )
    else:
        blocks.append(_verdict(run))
    if points and len(tasks) > 1:
        sizes = bubble_sizes([count for count, _ in points.values()])
        colours = [BLUE if name == "all examples" else GREY for name in points]
        values = {task: [gains.get(task) for _, gains in points.values()] for task in tasks}
        blocks.append(bubbles(list(points), values, sizes=sizes, colours=colours, against=against))
    if run.gains is not None:
        blocks.append(
            Table(
                caption="MTL gain, task by task",
                columns=["Task", "Metric", "Together", "Alone", "MTL gain"],
                rows=[
                    [g.task, meaning_of(g.metric).label, _text(g.together), _text(g.alone), gain_cell(g.gain)]
                    for g in run.gains.tasks
                ],
                texts=2,
            )
        )
    return Section(
        anchor="mtl-gain",
        title="Does one task pay for another?",
        lead="The seesaw, as in PLE, Fig 3. Choose two tasks. A bubble up and to the right means that both gain; one in "
        "another corner means that a task pays for the other. The blue bubble is the whole evaluation split, grey ones "
        "are its slices, the larger the more examples.",
        blocks=blocks,
    )


def bubbles(
    names: Sequence[str],
    values: Mapping[str, Sequence[Estimate | None]],
    *,
    sizes: Sequence[float],
    colours: Sequence[str],
    against: str,
    labelled: bool = False,
) -> BubblePicture:
    """The picture.

    Args:
        names: of the bubbles.
        values: by task, a gain a bubble; above 0 is better.
        sizes: diameters in pixels.
        colours: of the bubbles.
        against: what the gains are measured against.
        labelled: whether names stand beside the bubbles.
    """
    tasks = _farthest_apart(values)
    first, second = tasks[0], tasks[1]
    rows = {task: [_row(estimate) for estimate in estimates] for task, estimates in values.items()}
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
        hovertemplate="<b>%{text}</b><br>%{xaxis.title.text}: %{x:+.4f}<br>%{yaxis.title.text}: %{y:+.4f}<extra></extra>",
    )
    corners = {
        ("right", "top"): "both gain",
        ("left", "top"): "only the vertical one gains",
        ("right", "bottom"): "only the horizontal one gains",
        ("left", "bottom"): "both lose",
    }
    for (xanchor, yanchor), text in corners.items():
        place = {"x": float(xanchor == "right"), "y": float(yanchor == "top"), "xref": "paper", "yref": "paper"}
        made.add_annotation(**place, text=text, showarrow=False, opacity=0.6, xanchor=xanchor, yanchor=yanchor)
    picture = Picture(
        title=f"Gain {against}",
        describes=f"Gains of two tasks {against}. The table below has the numbers.",
        figure=made,
        height_px=420,
    )
    return BubblePicture(picture=picture, choices=tasks, values=rows)


def _farthest_apart(values: Mapping[str, Sequence[Estimate | None]]) -> list[str]:
    """The tasks; the one whose first bubble gains most and the one whose first bubble gains least stand first."""
    gains = {task: estimates[0].value or 0.0 if estimates[0] else 0.0 for task, estimates in values.items()}
    ends = [max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)]
    return list(dict.fromkeys([*ends, *values]))


def bubble_sizes(counts: Sequence[int]) -> list[float]:
    """Diameters in pixels; areas go with the counts, as far as a bubble can still be seen."""
    most = max(counts, default=0) or 1
    return [max(_LARGEST_PX * (count / most) ** 0.5, _SMALLEST_PX) for count in counts]


def _points(run: RunData) -> tuple[dict[str, tuple[int, dict[str, Estimate]]], str]:
    """By slice: the number of examples and the gain of each task; and what the gain is measured against."""
    found: dict[str, tuple[int, dict[str, Estimate]]] = {}

    def put(name: str, count: int, task: str, gain: Estimate | None) -> None:
        if gain is not None and gain.value is not None:
            before, gains = found.get(name, (0, {}))
            found[name] = (max(before, count), {**gains, task: gain})

    if run.gains is not None:
        for gain in [*run.gains.tasks, *run.gains.slices]:
            put(_name(gain.field, gain.value), gain.example_count, gain.task, gain.gain)
        return found, "against the same network trained alone"
    for verdict in run.evaluation.tasks if run.evaluation is not None else []:
        for part in verdict.slices:
            put(
                _name(part.field, part.value),
                part.example_count,
                verdict.task,
                turned(verdict.metric, part.changes.get(verdict.metric)),
            )
    return found, "against the serving model"


def _verdict(run: RunData) -> Note:
    assert run.gains is not None  # noqa: S101
    losing = ", ".join(run.gains.negative_transfer)
    if run.gains.seesaw:
        strength = "Seesaw" if run.gains.seesaw_beyond_noise else "Seesaw, but not beyond noise"
        text = f"{strength}: {', '.join(run.gains.gaining)} gain while {losing} lose from being trained together."
        return Note(text, "warn" if run.gains.seesaw_beyond_noise else "")
    if losing:
        return Note(f"Negative transfer: {losing} would be better off alone.", "warn")
    return Note("No negative transfer: no task would be better off alone.", "good")


def _name(field: str, value: str) -> str:
    return f"{field}={value}" if field else "all examples"


def _row(estimate: Estimate | None) -> tuple[float | None, float, float]:
    if estimate is None or estimate.value is None:
        return None, 0.0, 0.0
    if estimate.lower is None or estimate.upper is None:
        return estimate.value, 0.0, 0.0
    return estimate.value, max(estimate.value - estimate.lower, 0.0), max(estimate.upper - estimate.value, 0.0)


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


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

"""The section on calibration: does a score of 0.2 mean that it happens one time in five?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.evaluate.evaluation_result import Measurement
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import COLOURS, GREY, figure
from pipeline.report.elements.section import Note, Picture, Pictures, Section

_LARGEST_PX = 18.0


def calibration_section(runs: Sequence[RunData]) -> Section:
    """Return the section with a curve for each binary task and run."""
    curves: dict[str, dict[str, Measurement]] = {}
    for run in runs:
        for verdict in run.evaluation.tasks if run.evaluation is not None else []:
            for part in verdict.slices:
                if not part.field and part.calibration:
                    curves.setdefault(verdict.task, {})[run.name] = part
    blocks: list[Any] = [
        Pictures(pictures=[_picture(task, of_runs) for task, of_runs in curves.items()])
    ]
    if not curves:
        blocks = [Note("Not measured: there is no binary task, or the run did not get so far.")]
    return Section(
        anchor="calibration",
        title="Calibration",
        lead=(
            "Does a score of 0.2 mean that it happens one time in five? Points on the dotted "
            "diagonal are right; below it scores are too high, above it too low. A point is "
            "about a tenth of the examples. The number in the heading is the sum of scores over "
            "the sum of labels: 1.00 is right."
        ),
        blocks=blocks,
    )


def _picture(task: str, of_runs: dict[str, Measurement]) -> Picture:
    made = figure(
        xaxis={"title": {"text": "mean score"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "mean label"}, "rangemode": "tozero"},
        showlegend=len(of_runs) > 1,
    )
    most = max(
        max(bucket.mean_score, bucket.mean_label)
        for part in of_runs.values()
        for bucket in part.calibration
    )
    made.add_scatter(
        x=[0.0, most],
        y=[0.0, most],
        mode="lines",
        line={"dash": "dot", "color": GREY},
        hoverinfo="skip",
        showlegend=False,
    )
    described = []
    for (name, part), colour in zip(of_runs.items(), COLOURS * len(of_runs), strict=False):
        overall = part.metrics.get("calibration")
        described.append(
            f"{name} {overall.value:.2f}"
            if overall is not None and overall.value is not None
            else name
        )
        made.add_scatter(
            x=[bucket.mean_score for bucket in part.calibration],
            y=[bucket.mean_label for bucket in part.calibration],
            mode="lines+markers",
            name=name,
            marker={"size": 8},
            line={"color": colour},
            customdata=[f"{bucket.example_count:,.0f}" for bucket in part.calibration],
            hovertemplate=(
                "mean score %{x:.4f}<br>mean label %{y:.4f}<br>%{customdata} "
                "examples<extra></extra>"
            ),
        )
    title = f"{task}: {described[0].rsplit(' ', 1)[-1]}" if len(of_runs) == 1 else task
    return Picture(
        title=title,
        describes=f"Calibration of {task}: {', '.join(described)}",
        figure=made,
        height_px=280,
    )

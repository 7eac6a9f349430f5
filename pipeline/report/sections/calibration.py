"""The section on calibration: does a score of 0.2 mean that it happens one time in five?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feature_spec.artifacts.calibration import TaskCalibration
from feature_spec.artifacts.head_distribution import HeadDistribution
from pipeline.evaluate.evaluation_result import Measurement
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import COLOURS, GREY, figure
from pipeline.report.elements.section import Note, Picture, Pictures, Section, Table

_LARGEST_PX = 18.0
_MOST_SHIFTS = 20


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
    for run in runs:
        inspection = run.insight.inspection if run.insight is not None else None
        if inspection is not None and inspection.calibration is not None:
            of_run = f" of {run.name}" if len(runs) > 1 else ""
            report = inspection.calibration
            blocks.append(_table(report.tasks, of_run))
            blocks += _shifts(report.by, report.tasks, of_run)
        if inspection is not None:
            blocks += [_head(head, run.name if len(runs) > 1 else "") for head in inspection.heads]
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


def _table(tasks: Sequence[TaskCalibration], of_run: str) -> Table:
    return Table(
        caption=f"What the calibration{of_run} changed",
        columns=[
            "Task", "Method", "Examples", "Positives", "Sum before", "Sum after",
            "Log loss before", "Log loss after",
        ],
        rows=[
            [task.task, task.method, f"{task.examples:,}", f"{task.positives:,.0f}", *_change(task)]
            for task in tasks
        ],
        hints={
            "Examples": "Validation examples in the task's sample space, which the calibration was "
            "fitted to.",
            "Sum before": "Sum of scores over sum of labels on the validation examples.",
            "Sum after": "The same after the calibration; each half is scored by what the other "
            "half fits.",
        },
        texts=2,
    )  # fmt: skip


def _change(task: TaskCalibration) -> list[str]:
    if task.before is None or task.after is None:
        return [task.not_fitted, "", "", ""]
    return [
        f"{task.before.predicted_over_observed:.3f}",
        f"{task.after.predicted_over_observed:.3f}",
        f"{task.before.log_loss:.4f}",
        f"{task.after.log_loss:.4f}",
    ]


def _head(head: HeadDistribution, of_run: str) -> Table:
    """Return a folded table of what a head predicts at its cuts or levels, and what was seen."""
    return Table(
        caption=f"{of_run} {head.title}".strip(),
        columns=list(head.columns),
        rows=[
            [f"{point.place:.4g}", f"{point.predicted:.4g}", f"{point.observed:.4g}"]
            for point in head.points
        ],
        folded=True,
    )


def _shifts(by: str, tasks: Sequence[TaskCalibration], of_run: str) -> list[Table]:
    """Return a folded table of the largest shifts of slices, if there are slices."""
    rows = [
        [
            task.task,
            shift.value,
            f"{shift.examples:,}",
            f"{shift.positives:,.0f}",
            f"{shift.shift:+.3f}",
        ]
        for task in tasks
        for shift in sorted(task.shifts, key=lambda one: -abs(one.shift))[:_MOST_SHIFTS]
    ]
    if not rows:
        return []
    return [
        Table(
            caption=f"The largest shifts of logits by {by}{of_run}",
            columns=["Task", by, "Examples", "Positives", "Shift"],
            rows=rows,
            texts=2,
            folded=True,
        )
    ]


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

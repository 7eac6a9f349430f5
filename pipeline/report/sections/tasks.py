"""The section on each task against its floor, the serving model, and the task trained alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.evidence import examples_text
from pipeline.evaluate.evaluation_result import Estimate, TaskVerdict, change_text, number_text
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.evaluate.task_gains import TaskGain
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.estimates import (
    change_cell,
    estimate_cell,
    gain_cell,
    measurement_table,
    turned,
    whole_split,
)
from pipeline.report.elements.figure import (
    BLUE,
    ORANGE,
    RED,
    axis_range,
    figure,
    reach,
    rows_height_px,
)
from pipeline.report.elements.section import Cell, Choice, Note, Picture, Section, Table, Tone

NOT_ALONE = (
    "MTL gain is not measured: run with --with-single-task, which also trains each task alone."
)


def tasks_section(run: RunData) -> Section:
    """Return the section on the metrics of all tasks."""
    blocks: list[Any] = []
    if run.evaluation is None:
        blocks.append(
            Note(
                "Not measured: the run did not get so far, or was evaluated by an older Fulcrum.",
                "warn",
            )
        )
    else:
        blocks += _changes(run)
        refusals = [
            [verdict.task, refusal]
            for verdict in run.evaluation.tasks
            for refusal in verdict.refusals
        ]
        if refusals:
            blocks.append(
                Table(
                    caption="Why the model was refused",
                    columns=["Task", "Reason"],
                    rows=refusals,
                    texts=2,
                )
            )
        if not run.has_baseline:
            blocks.append(
                Note("There was no blessed model to compare with, so the floors alone judged.")
            )
        if run.evaluation.baseline_note:
            blocks.append(Note(run.evaluation.baseline_note, "warn"))
        if run.gains is None:
            blocks.append(Note(NOT_ALONE))
        blocks.append(
            Choice(
                label="All metrics of",
                options={
                    verdict.task: [_metrics_table(run, verdict)] for verdict in run.evaluation.tasks
                },
            )
        )
    return Section(
        anchor="tasks",
        title="Metrics of each task",
        lead=(
            "Did any task sink? Each task is measured on its own sample space of the evaluation "
            "split. Right of 0 is better, whatever the metric's direction; a bar is the 95 % "
            "interval, and one that crosses 0 is noise. A task refuses the model where its "
            "whole bar lies left of its red line, the tolerance."
        ),
        blocks=blocks,
    )


def verdict_table(run: RunData) -> Table:
    """Return a table with a row for each task and the metric that blesses.

    A comparison that was impossible has no column.
    """
    gains = gains_by_task(run)
    verdicts = run.evaluation.tasks if run.evaluation is not None else []
    columns: dict[str, list[str | Cell]] = {
        "Task": [
            Cell(verdict.task, hint=run.task_meanings.get(verdict.task, "")) for verdict in verdicts
        ],
        "Verdict": [Cell(verdict.outcome, _tone(verdict)) for verdict in verdicts],
        "Metric": [meaning_of(verdict.metric).label for verdict in verdicts],
        "This model": [_value_cell(verdict) for verdict in verdicts],
        "Floor": [verdict.threshold_text for verdict in verdicts],
    }
    if run.has_baseline:
        columns["Serving model"] = [number_text(verdict.baseline_value) for verdict in verdicts]
        columns["Change"] = [change_cell(verdict.metric, verdict.change) for verdict in verdicts]
    if gains:
        columns["Trained alone"] = [number_text(gains[verdict.task].alone) for verdict in verdicts]
        columns["MTL gain"] = [
            Cell(gains[verdict.task].too_few, "quiet")
            if gains[verdict.task].too_few
            else gain_cell(gains[verdict.task].gain)
            for verdict in verdicts
        ]
    columns["Examples"] = [
        examples_text(verdict.example_count, verdict.positive_count) for verdict in verdicts
    ]
    return Table(
        caption="The metric that blesses or refuses, by task",
        columns=list(columns),
        rows=list(zip(*columns.values(), strict=True)),
        texts=3,
        hints={
            "Floor": "The worst value that may be pushed: threshold in the spec, or chance, which "
            "a model has to be better than.",
            "Serving model": "The model blessed before this one, on the same examples.",
            "Change": (
                "This model minus the serving model, with the 95 % interval. ▲ better, ▼ worse; "
                "grey within noise or without an interval."
            ),
            "Trained alone": "The same network trained on this task only.",
            "MTL gain": (
                "What the task gains from being trained with the others (PLE, Eq 11); above 0 "
                "is better."
            ),
            "Examples": "Evaluation examples in the task's sample space.",
        },
    )


def gains_by_task(run: RunData) -> dict[str, TaskGain]:
    """Return MTL gains on the whole split by task."""
    return {gain.task: gain for gain in run.gains.tasks} if run.gains is not None else {}


def _changes(run: RunData) -> list[Picture]:
    """Return a picture for each metric, because units differ."""
    assert run.evaluation is not None  # noqa: S101
    gains = gains_by_task(run)
    pictures = []
    by_metric = sorted(run.evaluation.tasks, key=lambda verdict: verdict.metric)
    for metric, group in itertools.groupby(by_metric, key=lambda verdict: verdict.metric):
        verdicts = [verdict for verdict in group if verdict.change or verdict.task in gains]
        if verdicts:
            pictures.append(_change_picture(metric, verdicts, gains))
    return pictures


def _change_picture(
    metric: str, verdicts: Sequence[TaskVerdict], gains: dict[str, TaskGain]
) -> Picture:
    label = meaning_of(metric).label
    axis = {
        "title": {"text": f"change of {label}, better to the right"},
        "zeroline": True,
        "zerolinewidth": 2,
    }
    made = figure(xaxis=axis, showlegend=True)
    made.update_yaxes(autorange="reversed", type="category")
    against_serving = [turned(metric, verdict.change) for verdict in verdicts]
    against_alone = [
        gains[verdict.task].gain if verdict.task in gains else None for verdict in verdicts
    ]
    tasks = [verdict.task for verdict in verdicts]
    for name, estimates, colour, symbol in (
        ("against the serving model", against_serving, BLUE, "circle"),
        ("against trained alone (MTL gain)", against_alone, ORANGE, "diamond"),
    ):
        if any(estimates):
            made.add_scatter(
                x=[estimate.value if estimate else None for estimate in estimates],
                y=tasks,
                error_x=reach(estimates),
                mode="markers",
                name=name,
                marker={"size": 11, "color": colour, "symbol": symbol},
                text=[change_text(estimate) for estimate in estimates],
                hovertemplate="<b>%{y}</b><br>" + name + ": %{text}<extra></extra>",
            )
    if any(against_serving):
        made.add_scatter(
            x=[-verdict.tolerance for verdict in verdicts],
            y=tasks,
            mode="markers",
            name="tolerance",
            marker={
                "size": 20,
                "color": RED,
                "symbol": "line-ns",
                "line": {"width": 3, "color": RED},
            },
            hovertemplate="<b>%{y}</b><br>refused beyond %{x}<extra></extra>",
        )
    tolerances = [
        Estimate(value=-verdict.tolerance) for verdict in verdicts if any(against_serving)
    ]
    largest = meaning_of(metric).range.highest
    shown = [*against_serving, *against_alone, *tolerances]
    made.update_xaxes(range=axis_range(shown, holds_zero=True, within=(-largest, largest)))
    described = "; ".join(
        f"{task} {change_text(serving)} against serving, {change_text(alone)} against alone"
        for task, serving, alone in zip(tasks, against_serving, against_alone, strict=True)
    )
    return Picture(
        title=f"Change of {label}",
        describes=described,
        figure=made,
        height_px=rows_height_px(len(verdicts)),
    )


def _metrics_table(run: RunData, verdict: TaskVerdict) -> Table | Note:
    meaning, whole = run.task_meanings.get(verdict.task, ""), whole_split(verdict.slices)
    caption = (
        f"All metrics of {verdict.task} ({meaning})"
        if meaning
        else f"All metrics of {verdict.task}"
    )
    return (
        measurement_table(caption, whole)
        if whole is not None
        else Note("No evaluation example lies in its sample space.")
    )


def _tone(verdict: TaskVerdict) -> Tone:
    return "bad" if verdict.refusals else "quiet" if verdict.too_few else "good"


def _value_cell(verdict: TaskVerdict) -> Cell:
    whole = whole_split(verdict.slices)
    return estimate_cell(whole.metrics.get(verdict.metric) if whole is not None else None)

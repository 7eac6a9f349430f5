"""The section on training curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.task import VALIDATED_BY
from pipeline.evaluate.evaluation_result import Estimate
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import BLUE, COLOURS, GREY, axis_range, figure
from pipeline.report.elements.section import Note, Picture, Pictures, Section

_VALIDATION = "validation_"
# Up to this number of epochs, each epoch has a tick.
_TICKS = 10


def training_section(runs: Sequence[RunData]) -> Section:
    """Return the section with curves of the loss and of each task's validation metric.

    Curves of several runs share a picture.
    """
    pictures = []
    if any(run.curves for run in runs):
        losses = ("loss", f"{_VALIDATION}loss") if len(runs) == 1 else (f"{_VALIDATION}loss",)
        pictures.append(
            _picture("Joint loss", [(run, name) for run in runs for name in losses], "loss")
        )
        metrics = {
            verdict.task: VALIDATED_BY.get(verdict.metric, verdict.metric)
            for run in runs
            if run.evaluation
            for verdict in run.evaluation.tasks
        }
        tasks = dict.fromkeys(
            name.removeprefix(_VALIDATION)
            for run in runs
            for name in run.curves or {}
            if name.startswith(_VALIDATION) and name != f"{_VALIDATION}loss"
        )
        for task in tasks:
            label = meaning_of(metrics[task]).label if task in metrics else "metric"
            pictures.append(
                _picture(
                    f"{task}: {label} on the validation split",
                    [(run, _VALIDATION + task) for run in runs],
                    label,
                    meaning_of(metrics[task]).range.highest if task in metrics else None,
                )
            )
    blocks: list[Any] = [
        *(_ending_note(run, several=len(runs) > 1) for run in runs if run.ending is not None)
    ]
    blocks += (
        [Pictures(pictures=pictures)]
        if pictures
        else [Note("No training curves: the run did not get so far.")]
    )
    return Section(
        anchor="training",
        title="Training curves",
        lead=(
            "Did it train long enough, and not too long? Each point is an epoch. The model "
            "keeps the weights of its best epoch on the validation split, so a validation loss "
            "that turns up at the end is no harm. If trainer.epochs ended it with its best epoch, "
            "more epochs may help; if patience did, they change nothing."
        ),
        blocks=blocks,
    )


def _ending_note(run: RunData, *, several: bool) -> Note:
    assert run.ending is not None  # noqa: S101
    ending = run.ending
    by = (
        f"trainer.patience ({ending.patience}) ran out"
        if ending.stopped_by == "patience"
        else "trainer.epochs was reached"
    )
    text = f"{by} after epoch {ending.epochs}; epoch {ending.best_epoch} was best."
    silent = "; ".join(f"{task}: {reason}" for task, reason in ending.silent.items())
    text += f" No vote on when to stop: {silent}." if silent else ""
    return Note(f"{run.name}: {text}" if several else text[0].upper() + text[1:])


def _picture(
    title: str,
    curves: Sequence[tuple[RunData, str]],
    label: str,
    highest: float | None = None,
) -> Picture:
    """Return the picture of one quantity by epoch; a metric's values lie from 0 to `highest`."""
    several = len({run.name for run, _ in curves}) > 1
    epochs = max((len((run.curves or {}).get(curve, [])) for run, curve in curves), default=0)
    ticks = {"dtick": 1} if epochs <= _TICKS else {}
    values = [value for run, curve in curves for _, value in (run.curves or {}).get(curve, [])]
    if len(set(values)) == 1:
        values += [0.95 * values[0], 1.05 * values[0]]  # a point alone has room on both sides
    shown = [Estimate(value=value) for value in values]
    possible = (0.0, highest) if highest is not None else (-math.inf, math.inf)
    made = figure(
        xaxis={
            "title": {"text": "epoch"},
            "tickformat": "d",
            "range": [0.5, max(epochs, 1) + 0.5],
            **ticks,
        },
        yaxis={
            "title": {"text": label},
            "range": axis_range(shown, holds_zero=False, within=possible),
        },
        showlegend=len(curves) > 1,
    )
    described = []
    for position, (run, curve) in enumerate(curves):
        points = (run.curves or {}).get(curve, [])
        name = (
            run.name
            if several
            else "validation split"
            if curve.startswith(_VALIDATION)
            else "train split"
        )
        validation = curve.startswith(_VALIDATION)
        made.add_scatter(
            x=[epoch for epoch, _ in points],
            y=[value for _, value in points],
            mode="lines+markers",
            name=name,
            line={
                "color": COLOURS[position % len(COLOURS)]
                if several
                else BLUE
                if validation
                else GREY
            },
            hovertemplate=name + "<br>epoch %{x}: %{y:.4f}<extra></extra>",
        )
        if not points:
            described.append(f"{name} –")
        else:
            described.append(
                f"{name} from {points[0][1]:.4f} to {points[-1][1]:.4f} in {len(points)} epochs"
            )
    return Picture(title=title, describes="; ".join(described), figure=made, height_px=260)

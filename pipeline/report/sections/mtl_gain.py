"""The section with the bubble picture of PLE, Fig 3: gains of two tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.evidence import examples_text
from pipeline.evaluate.evaluation_result import Estimate, number_text
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.evaluate.task_gains import TaskGain
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.estimates import gain_cell, turned
from pipeline.report.elements.figure import BLUE, GREY, bubble_sizes, bubbles
from pipeline.report.elements.section import Cell, Note, Section, Table
from pipeline.report.sections.tasks import NOT_ALONE

_WHOLE = "all examples"


def mtl_gain_section(run: RunData) -> Section:
    """Return the section on whether one task gains at the cost of another."""
    blocks: list[Any] = []
    points, against = _points(run)
    whole = points.pop(_WHOLE, None)
    tasks = [verdict.task for verdict in run.evaluation.tasks] if run.evaluation is not None else []
    if run.gains is None:
        blocks.append(
            Note(
                NOT_ALONE
                + (
                    " Until then the picture shows the change against the serving model."
                    if whole
                    else ""
                )
            )
        )
    else:
        blocks.append(_verdict(run))
    if whole is not None and len(tasks) > 1:
        # Intervals of slices would cover everything; the tables have them.
        shown = {
            name: (count, {task: Estimate(value=gain.value) for task, gain in of.items()})
            for name, (count, of) in points.items()
        }
        shown[_WHOLE] = whole
        blocks.append(
            bubbles(
                list(shown),
                {task: [gains.get(task) for _, gains in shown.values()] for task in tasks},
                sizes=bubble_sizes([count for count, _ in shown.values()]),
                colours=[BLUE if name == _WHOLE else GREY for name in shown],
                against=against,
            )
        )
    if run.gains is not None:
        blocks.append(_table("MTL gain, task by task", run.gains.tasks))
        if run.gains.slices:
            blocks.append(_table("MTL gain by slice", run.gains.slices, folded=True))
    return Section(
        anchor="mtl-gain",
        title="Does one task pay for another?",
        lead=(
            "The seesaw, as in PLE, Fig 3. Choose two tasks. A bubble up and to the right means "
            "that both gain; one in another corner means that a task pays for the other. The "
            "blue bubble is the whole evaluation split, grey ones are its slices, the larger "
            "the more examples."
        ),
        blocks=blocks,
    )


def _points(run: RunData) -> tuple[dict[str, tuple[int, dict[str, Estimate]]], str]:
    """Return the number of examples and each task's gain by slice, and the comparison's words."""
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
        text = (
            f"{strength}: {', '.join(run.gains.gaining)} gain while {losing} lose from being "
            "trained together."
        )
        return Note(text, "warn" if run.gains.seesaw_beyond_noise else "")
    if losing:
        losers = [gain for gain in run.gains.tasks if gain.task in run.gains.negative_transfer]
        if not any(gain.is_clear for gain in losers):
            return Note(f"Negative transfer, but not beyond noise: {losing}.")
        return Note(f"Negative transfer: {losing} would be better off alone.", "warn")
    return Note("No negative transfer: no task would be better off alone.", "good")


def _name(field: str, value: str) -> str:
    return f"{field}={value}" if field else _WHOLE


def _table(caption: str, gains: Sequence[TaskGain], *, folded: bool = False) -> Table:
    rows: list[list[str | Cell]] = [
        [
            gain.task,
            _name(gain.field, gain.value),
            meaning_of(gain.metric).label,
            examples_text(gain.example_count, gain.positive_count),
            number_text(gain.together),
            number_text(gain.alone),
            Cell(gain.too_few, "quiet") if gain.too_few else gain_cell(gain.gain),
        ]
        for gain in gains
    ]
    columns = ["Task", "Of", "Metric", "Examples", "Together", "Alone", "MTL gain"]
    return Table(caption=caption, columns=columns, rows=rows, texts=3, folded=folded)

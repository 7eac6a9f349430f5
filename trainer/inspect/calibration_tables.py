"""The calibration of an export as tables: what it changed by task, and the shifts of slices."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from feature_spec.artifacts.calibration import CalibrationReport, TaskCalibration

# The slices with the largest shifts, of many.
_MOST_SHIFTS = 20


def calibration_tables(report: CalibrationReport) -> Iterator[Table]:
    """Yield a table of the tasks, and one of the shifts of each task that has some."""
    title = "Calibration on the validation examples (before → after)"
    table = _table(title, ["task", "method"])
    for heading in ("examples", "positives", "predicted / observed", "log loss", "slope"):
        table.add_column(heading, justify="right")
    for task in report.tasks:
        table.add_row(task.task, *_row(task))
    yield table
    for task in report.tasks:
        if task.shifts:
            yield _shifts(report, task)


def _row(task: TaskCalibration) -> list[str]:
    known = [f"{task.examples:,}", f"{task.positives:,.0f}"]
    if task.curve is None or task.before is None or task.after is None:
        return [f"{task.method}: none, {task.not_fitted}", *known]
    before, after = task.before, task.after
    count = len(task.curve.logits)
    return [
        task.method + (f", {count} knots" if task.method == "isotonic" else ""),
        *known,
        f"{before.predicted_over_observed:.3f} → {after.predicted_over_observed:.3f}",
        f"{before.log_loss:.4f} → {after.log_loss:.4f}",
        f"{task.curve.slope:.3f}",
    ]


def _shifts(report: CalibrationReport, task: TaskCalibration) -> Table:
    largest = sorted(task.shifts, key=lambda shift: -abs(shift.shift))[:_MOST_SHIFTS]
    of_all = f", the {_MOST_SHIFTS} largest of {len(task.shifts):,}"
    title = f"Shifts of the logit of {task.task} by {report.by} (shrinkage {report.shrinkage:g})"
    table = _table(title + (of_all if len(task.shifts) > _MOST_SHIFTS else ""), [report.by])
    for heading in ("examples", "positives", "shift"):
        table.add_column(heading, justify="right")
    for shift in largest:
        table.add_row(
            shift.value, f"{shift.examples:,}", f"{shift.positives:,.0f}", f"{shift.shift:+.4f}"
        )
    return table


def _table(title: str, texts: list[str]) -> Table:
    # Rich would break a title that is wider than its table.
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        min_width=len(title),
    )
    for heading in texts:
        table.add_column(heading, no_wrap=True)
    return table

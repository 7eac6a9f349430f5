"""MTL gain (PLE, Eq 11): what each task gains from the others, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from rich.table import Table
from rich.text import Text

from feature_spec.spec import FeatureSpec
from feature_spec.tasks.evidence import examples_text, too_few
from feature_spec.tasks.task import Task
from pipeline.evaluate.evaluation_result import Estimate, Measurement, change_text, number_text
from pipeline.workspace.artifact_files import read_bytes, write_bytes

_FILE = "mtl_gain.json"


@dataclass(frozen=True, kw_only=True)
class TaskGain:
    """The MTL gain of one task on one slice of the evaluation split, in the task's sample space.

    Attributes:
        task: the name of the task.
        metric: the metric that the spec gives the task.
        field: the field that makes the slice; "" for the whole split.
        value: the field's value on the slice; "" for the whole split.
        example_count: examples in the sample space.
        together: the metric of the multi-task model; None where it cannot be computed.
        alone: the metric of the network trained on this task alone; None likewise.
        gain: Eq 11: above 0 where training together is better, whatever the metric's direction. The
            interval covers the choice of evaluation examples, not of seeds. None where `together`
            or `alone` is None.
        positive_count: examples with label 1; None unless the task is binary.
        too_few: ``too few to tell (3 positives)``; "" where there are enough.
    """

    task: str
    metric: str
    field: str
    value: str
    example_count: int
    together: float | None
    alone: float | None
    gain: Estimate | None
    # Earlier versions did not write them.
    positive_count: int | None = None
    too_few: str = ""

    @property
    def is_noise(self) -> bool:
        """True if the interval holds 0; False if it does not or there is none."""
        return self.gain is not None and self.gain.has_interval and not self.gain.is_clear

    @property
    def is_clear(self) -> bool:
        """True if the gain is beyond noise; without an interval, or few labels, nobody can tell."""
        return self.gain is not None and self.gain.is_clear and not self.too_few


@dataclass(frozen=True, kw_only=True)
class MtlGains:
    """The MTL gains of all tasks.

    Attributes:
        tasks: gains on the whole split, in the spec's order.
        slices: gains on each slice, task by task.
        gaining: names of the tasks with a gain above 0, without those with too few examples.
        negative_transfer: names of the tasks with a gain below 0, likewise.
        seesaw: whether some tasks gain while others lose.
        seesaw_beyond_noise: whether that holds by the gains beyond noise alone.
    """

    tasks: list[TaskGain]
    slices: list[TaskGain]
    gaining: list[str]
    negative_transfer: list[str]
    seesaw: bool
    seesaw_beyond_noise: bool


def mtl_gains(spec: FeatureSpec, measured: Mapping[str, Sequence[Measurement]]) -> MtlGains:
    """Return Eq 11 for each task.

    Args:
        spec: the feature spec, which gives each task its metric.
        measured: measurements by task, with the multi-task model as candidate and the networks of
            one task as baseline.
    """
    gains = [
        _gain(name, task, part)
        for name, task in spec.judged_tasks.items()
        for part in measured.get(name, ())
    ]
    tasks = [gain for gain in gains if not gain.field]
    clear = [gain for gain in tasks if gain.is_clear]
    return MtlGains(
        tasks=tasks,
        slices=[gain for gain in gains if gain.field],
        gaining=_with_sign(tasks, 1),
        negative_transfer=_with_sign(tasks, -1),
        seesaw=_has_both_signs(tasks),
        seesaw_beyond_noise=_has_both_signs(clear),
    )


def write_gains(gains: MtlGains, folder: str) -> None:
    """Write gains beside TFMA's own files."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(gains, indent=1))


def read_gains(folder: str) -> MtlGains:
    """Read the gains that `write_gains` wrote."""
    return _JSON.validate_json(read_bytes(f"{folder}/{_FILE}"))


def _gain(name: str, task: Task, part: Measurement) -> TaskGain:
    together, alone = (
        values.get(task.metric, Estimate(value=None)).value
        for values in (part.metrics, part.baseline)
    )
    change = part.changes.get(task.metric)
    return TaskGain(
        task=name,
        metric=task.metric,
        field=part.field,
        value=part.value,
        example_count=part.example_count,
        together=together,
        alone=alone,
        positive_count=part.positive_count,
        too_few=too_few(part.example_count, part.positive_count),
        gain=None if together is None or alone is None else _turned(task, change, together - alone),
    )


def _turned(task: Task, change: Estimate | None, difference: float) -> Estimate:
    """Return the change from alone to together, positive where it is an improvement."""
    lower, upper = (change.lower, change.upper) if change is not None else (None, None)
    if task.higher_is_better:
        return Estimate(value=difference, lower=lower, upper=upper)
    return Estimate(
        value=-difference,
        lower=None if upper is None else -upper,
        upper=None if lower is None else -lower,
    )


def _with_sign(gains: Iterable[TaskGain], sign: int) -> list[str]:
    return [
        gain.task
        for gain in gains
        if gain.gain is not None and (gain.gain.value or 0.0) * sign > 0.0 and not gain.too_few
    ]


def _has_both_signs(gains: Sequence[TaskGain]) -> bool:
    return bool(_with_sign(gains, 1)) and bool(_with_sign(gains, -1))


_JSON = TypeAdapter(MtlGains)


def gains_table(gains: MtlGains) -> Table:
    """Return a table with a row for each task."""
    table = Table(
        "task",
        title="MTL gain (PLE, Eq 11): trained together against the same network trained on the "
        "task alone",
    )
    for column in ("examples", "metric", "together", "alone", "gain (95 % interval)"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for gain in gains.tasks:
        table.add_row(
            gain.task,
            examples_text(gain.example_count, gain.positive_count),
            gain.metric,
            number_text(gain.together),
            number_text(gain.alone),
            change_text(gain.gain),
            _verdict(gain),
        )
    return table


def gains_text(gains: MtlGains) -> Text:
    """Return a sentence that names negative transfer and the seesaw, if any."""
    losing = ", ".join(gains.negative_transfer)
    if gains.seesaw:
        strength = "" if gains.seesaw_beyond_noise else " (not both beyond noise)"
        gaining = ", ".join(gains.gaining)
        return Text(
            f"Seesaw{strength}: {gaining} gained, {losing} lost (negative transfer)", style="yellow"
        )
    if losing:
        clear = any(gain.is_clear for gain in gains.tasks if gain.task in gains.negative_transfer)
        strength = "" if clear else " (not beyond noise)"
        return Text(f"Negative transfer{strength}: {losing}", style="yellow")
    return Text("No negative transfer")


def _verdict(gain: TaskGain) -> str:
    if gain.too_few:
        return gain.too_few
    if gain.gain is None or gain.gain.value is None:
        return "cannot be computed"
    value = gain.gain.value
    if value and not gain.gain.has_interval:
        return "cannot tell: no interval"
    verdict = "gains" if value > 0.0 else "negative transfer" if value < 0.0 else "no difference"
    return verdict + (", within noise" if gain.is_noise else "")

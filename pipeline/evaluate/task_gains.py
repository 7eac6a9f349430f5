"""MTL gain: what each task gains from being trained together with the others (PLE, Eq 11), and its form as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from feature_spec.spec import FeatureSpec
from feature_spec.tasks.task import Task
from pipeline.evaluate.evaluation_result import Estimate, Measurement
from pipeline.workspace.artifact_files import read_bytes, write_bytes

_FILE = "mtl_gain.json"


@dataclass(frozen=True, kw_only=True)
class TaskGain:
    """One task on one slice of the evaluation split, in its sample space.

    Attributes:
        task: its name.
        metric: the spec's metric of the task.
        field: the field that the slice is made by; "" for the whole split.
        value: the field's value on the slice; "" for the whole split.
        example_count: rows of the sample space.
        together: the metric of the model of all tasks; None where it cannot be computed.
        alone: that of the network trained on this task alone.
        gain: Eq 11, above 0 where training together is better whatever the metric's direction; its
            interval is that of the evaluation examples, not of the seeds. None where one of the two
            cannot be computed.
    """

    task: str
    metric: str
    field: str
    value: str
    example_count: int
    together: float | None
    alone: float | None
    gain: Estimate | None

    @property
    def is_noise(self) -> bool:
        """Whether the interval holds 0. Without an interval the gain itself decides."""
        if self.gain is None or self.gain.lower is None or self.gain.upper is None:
            return False
        return self.gain.lower <= 0.0 <= self.gain.upper


@dataclass(frozen=True, kw_only=True)
class MtlGains:
    """The gains of all tasks.

    Attributes:
        tasks: on the whole split, in the spec's order.
        slices: on each slice, task by task.
        gaining: tasks with a gain above 0.
        negative_transfer: tasks with one below 0.
        seesaw: whether there are both: some tasks gain while others lose.
        seesaw_beyond_noise: whether there are both when gains within noise are left out.
    """

    tasks: list[TaskGain]
    slices: list[TaskGain]
    gaining: list[str]
    negative_transfer: list[str]
    seesaw: bool
    seesaw_beyond_noise: bool


def mtl_gains(spec: FeatureSpec, measured: Mapping[str, Sequence[Measurement]]) -> MtlGains:
    """Eq 11 for each task.

    Args:
        spec: whose tasks' metrics count.
        measured: by task; the model of all tasks is the candidate, the networks of one task are the
            baseline.
    """
    gains = [
        _gain(name, task, part)
        for name, task in spec.tasks.items()
        for part in measured.get(name, ())
    ]
    tasks = [gain for gain in gains if not gain.field]
    clear = [gain for gain in tasks if not gain.is_noise]
    return MtlGains(
        tasks=tasks,
        slices=[gain for gain in gains if gain.field],
        gaining=_with_sign(tasks, 1),
        negative_transfer=_with_sign(tasks, -1),
        seesaw=_has_both_signs(tasks),
        seesaw_beyond_noise=_has_both_signs(clear),
    )


def write_gains(gains: MtlGains, folder: str) -> None:
    """Writes them beside TFMA's own files."""
    write_bytes(f"{folder}/{_FILE}", _JSON.dump_json(gains, indent=1))


def read_gains(folder: str) -> MtlGains:
    """What `write_gains` wrote."""
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
        gain=None if together is None or alone is None else _turned(task, change, together - alone),
    )


def _turned(task: Task, change: Estimate | None, difference: float) -> Estimate:
    """The change from alone to together, with the sign that makes an improvement positive."""
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
        if gain.gain is not None and (gain.gain.value or 0.0) * sign > 0.0
    ]


def _has_both_signs(gains: Sequence[TaskGain]) -> bool:
    return bool(_with_sign(gains, 1)) and bool(_with_sign(gains, -1))


_JSON = TypeAdapter(MtlGains)

"""The seesaw gate: no task may fall below its floor, or lose more than its tolerance.

A loss against the blessed model counts only beyond noise. So does a predicted over observed beyond
the limits of the spec, whatever the blessed model is like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from feature_spec.spec import FeatureSpec
from feature_spec.tasks.evidence import too_few
from feature_spec.tasks.task import Task
from pipeline.evaluate.calibration_gate import calibration_verdict
from pipeline.evaluate.default_limits import DefaultFloor, default_floor
from pipeline.evaluate.evaluation_result import Measurement, TaskVerdict


def task_verdicts(
    spec: FeatureSpec, measured: Mapping[str, Sequence[Measurement]]
) -> list[TaskVerdict]:
    """Return the verdict of each task, in the spec's order.

    Args:
        spec: the feature spec with thresholds and tolerances.
        measured: measurements by task, the whole split first.
    """
    return [
        _verdict(spec, name, task, measured.get(name, ()))
        for name, task in spec.judged_tasks.items()
    ]


def _verdict(
    spec: FeatureSpec, name: str, task: Task, measured: Sequence[Measurement]
) -> TaskVerdict:
    # TFMA writes no metrics where the split holds no example.
    whole = next(
        (part for part in measured if not part.field),
        Measurement(field="", value="", example_count=0, metrics={}, baseline={}, changes={}),
    )
    floor = default_floor(task, whole) if task.threshold is None else DefaultFloor(task.threshold)
    few = too_few(whole.example_count, whole.positive_count) or floor.too_few
    limits = spec.calibration.within if spec.calibration is not None else None
    fields = {part.field for part in spec.evaluation.slices if part.protected}
    protected = [part for part in measured if part.field in fields]
    calibrations = [
        calibration_verdict(part, limits)
        for part in (whole, *protected)
        if limits is not None and task.kind == "binary"
    ]
    refusals = [
        *_below_floor(task, whole, floor, few),
        *(refusal for part in (whole, *protected) for refusal in _fallen(task, part)),
        *(verdict.refusal for verdict in calibrations if verdict.refusal),
    ]
    # A slice that cannot tell refuses nothing, and says nothing of the whole.
    few = few or next((verdict.too_few for verdict in calibrations[:1]), "")
    return TaskVerdict(
        task=name,
        example_count=whole.example_count,
        metric=task.metric,
        threshold=floor.threshold,
        tolerance=task.tolerance or 0.0,
        metrics={metric: estimate.value for metric, estimate in whole.metrics.items()},
        baseline_metrics={metric: estimate.value for metric, estimate in whole.baseline.items()},
        change=whole.changes.get(task.metric),
        slices=list(measured),
        protected=[part.name for part in protected],
        refusals=refusals,
        positive_count=whole.positive_count,
        too_few=few,
        default_threshold=task.threshold is None,
        default_tolerance=task.tolerance is None,
    )


def _below_floor(task: Task, whole: Measurement, floor: DefaultFloor, few: str) -> Iterable[str]:
    """Yield reasons to refuse the candidate whatever the blessed model is like.

    Where the spec has no threshold, too few examples to tell are none.
    """
    estimate = whole.metrics.get(task.metric)
    if task.threshold is None and few:
        return
    if not whole.example_count:
        yield "no evaluation example lies in its sample space"
    elif estimate is None or estimate.value is None:
        of_whom = " of each user or request" if task.metric == "gauc" else ""
        yield (
            f"{task.metric} cannot be computed: all its labels{of_whom} are alike, or its scores "
            "are not numbers"
        )
    elif task.threshold is None:
        yield from filter(None, [floor.refusal])
    elif (
        estimate.value < task.threshold
        if task.higher_is_better
        else estimate.value > task.threshold
    ):
        side = "below" if task.higher_is_better else "above"
        yield (
            f"{task.metric} {estimate.value:.4f} is {side} the threshold {task.threshold:g}"
            + (f"; {few}" if few else "")
        )


def _fallen(task: Task, part: Measurement) -> Iterable[str]:
    """Yield a loss against the blessed model whose interval lies beyond the tolerance."""
    blessed, candidate = part.baseline.get(task.metric), part.metrics.get(task.metric)
    if blessed is None or blessed.value is None or (part.field and part.too_few):
        return
    where = f" on {part.name}" if part.name else ""
    if candidate is None or candidate.value is None:
        yield (
            f"{task.metric}{where} cannot be computed, though the blessed model's "
            f"{blessed.value:.4f} can"
        )
        return
    change = part.changes.get(task.metric)
    sign = -1.0 if task.higher_is_better else 1.0
    loss = sign * (candidate.value - blessed.value)
    if change is not None and change.lower is not None and change.upper is not None:
        ends = sorted((sign * change.lower, sign * change.upper))
        least_loss, interval = ends[0], f"95 % interval {ends[0]:.4f} to {ends[1]:.4f}"
    elif part.field or task.tolerance is None:
        # Too few for an interval: any loss may be noise.
        return
    else:
        least_loss, interval = loss, "no interval"
    tolerance = task.tolerance or 0.0
    if least_loss > tolerance:
        yield (
            f"{task.metric}{where} {candidate.value:.4f} is worse than the blessed model's "
            f"{blessed.value:.4f} by {loss:.4f} ({interval}), more than "
            + ("noise" if task.tolerance is None else f"the tolerance {tolerance:g}")
        )

"""What the Evaluator found: each task's metrics beside the blessed model's, and why a model was refused."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from feature_spec.spec import FeatureSpec
from feature_spec.task import Task
from pipeline.evaluation import BASELINE, EXAMPLE_COUNT, UNDEFINED_AUC


@dataclass(frozen=True, kw_only=True)
class TaskVerdict:
    """One task on the evaluation split, on its own sample space.

    Attributes:
        task: its name.
        example_count: rows of the sample space.
        metric: the metric that blessing looks at.
        threshold: the worst value of the metric that may be pushed.
        tolerance: the largest loss against the blessed model that may be pushed.
        metrics: all metrics of the candidate by name; None where one cannot be computed.
        baseline_metrics: the same of the blessed model; empty if there was none to compare with.
        refusals: why the task refuses the model; empty if it does not.
    """

    task: str
    example_count: int
    metric: str
    threshold: float
    tolerance: float
    metrics: dict[str, float | None]
    baseline_metrics: dict[str, float | None]
    refusals: list[str]

    @property
    def value(self) -> float | None:
        """The candidate's value of the metric."""
        return self.metrics[self.metric]

    @property
    def baseline_value(self) -> float | None:
        """The blessed model's value of the metric."""
        return self.baseline_metrics.get(self.metric)


def task_verdicts(spec: FeatureSpec, metrics: Iterable[Any], validation: Any) -> list[TaskVerdict]:
    """The verdict of each task, in the spec's order.

    Args:
        spec: whose tasks were judged.
        metrics: `MetricsForSlice` protos of the overall slice, as TFMA writes them.
        validation: TFMA's `ValidationResult` proto.
    """
    values: dict[tuple[bool, str], dict[str, float]] = {}
    for of_slice in metrics:
        for entry in of_slice.metric_keys_and_values:
            key = entry.key
            if not key.is_diff:
                of_model = values.setdefault((key.model_name == BASELINE, key.output_name), {})
                of_model[key.name] = entry.value.double_value.value
    failures: dict[str, list[Any]] = {}
    for of_slice in validation.metric_validations_per_slice:
        for failure in of_slice.failures:
            failures.setdefault(failure.metric_key.output_name, []).append(failure)
    return [
        _task_verdict(name, task, values[False, name], values.get((True, name), {}), failures.get(name, []))
        for name, task in spec.tasks.items()
    ]


def _task_verdict(
    name: str, task: Task, candidate: dict[str, float], baseline: dict[str, float], failures: list[Any]
) -> TaskVerdict:
    count = int(candidate.pop(EXAMPLE_COUNT))
    baseline.pop(EXAMPLE_COUNT, None)
    metrics, baseline_metrics = _defined(candidate), _defined(baseline)
    value, blessed = metrics[task.metric], baseline_metrics.get(task.metric)
    refusals = []
    if not count:
        refusals.append("no evaluation example lies in its sample space")
    elif value is None:
        refusals.append(f"{task.metric} cannot be computed: all its labels are alike, or its scores are not numbers")
    else:
        for failure in failures:
            if failure.metric_key.is_diff:
                theirs = "undefined value" if blessed is None else f"{blessed:.4f}"
                refusals.append(
                    f"{task.metric} {value:.4f} is worse than the blessed model's {theirs} "
                    f"by more than the tolerance {task.tolerance:g}"
                )
            else:
                side = "below" if task.higher_is_better else "above"
                refusals.append(f"{task.metric} {value:.4f} is {side} the threshold {task.threshold:g}")
    return TaskVerdict(
        task=name,
        example_count=count,
        metric=task.metric,
        threshold=task.threshold,
        tolerance=task.tolerance,
        metrics=metrics,
        baseline_metrics=baseline_metrics,
        refusals=refusals,
    )


def _defined(metrics: dict[str, float]) -> dict[str, float | None]:
    return {
        name: None if not math.isfinite(value) or (name == "auc" and value == UNDEFINED_AUC) else value
        for name, value in metrics.items()
    }

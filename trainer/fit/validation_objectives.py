"""One number over the validation metrics of all tasks: for early stopping and for searches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from feature_spec.tasks.evidence import ENOUGH_EVIDENCE
from feature_spec.tasks.task import HIGHER_IS_BETTER, Metric, Task


def error_of(metric: Metric, value: float) -> float:
    """Return a metric as an error, so that lower is better for all: 1 − AUC, log loss or MSE."""
    return 1.0 - value if HIGHER_IS_BETTER[metric] else value


class Measured(NamedTuple):
    """A task's metric on the validation part.

    Attributes:
        value: the metric; NaN if it cannot be computed.
        standard_error: its standard error; NaN if it cannot be told.
        evidence: the rows that the metric rests on: of a binary task, those of the rarer label.
    """

    value: float
    standard_error: float
    evidence: float

    def __str__(self) -> str:
        return "–" if math.isnan(self.value) else f"{self.value:.4f}"


def voters(tasks: Mapping[str, Task], first: Mapping[str, Measured]) -> list[str]:
    """Return the tasks whose metric can say whether an epoch was better.

    Args:
        tasks: tasks by name. One whose loss weight is 0 has no say.
        first: the metrics after the first epoch, by task.
    """
    return [
        name
        for name, task in tasks.items()
        if first[name].evidence >= ENOUGH_EVIDENCE
        and math.isfinite(first[name].standard_error)
        and task.loss_weight > 0.0
    ]


def silence(task: Task, first: Measured) -> str:
    """Return the reason why a task has no vote."""
    if task.loss_weight <= 0.0:
        return "no loss weight"
    what = "of the rarer label" if task.kind == "binary" else "examples"
    return f"too few to tell ({first.evidence:.0f} {what})"


def weighed_change(
    tasks: Mapping[str, Task], first: Mapping[str, Measured], now: Mapping[str, float]
) -> float:
    """Return the mean change of the tasks' errors since the first epoch, in standard errors.

    Each task counts by its loss weight ω. What is noise for one task is then as small as what is
    noise for another, and the noisiest does not decide. Lower is better.

    Args:
        tasks: the tasks that vote, by name.
        first: the metrics after the first epoch, by task.
        now: the metrics now, by task.
    """
    changes = [
        task.loss_weight
        * (
            error_of(task.validation_metric, now[name])
            - error_of(task.validation_metric, first[name].value)
        )
        / max(first[name].standard_error, 1e-9)
        for name, task in tasks.items()
    ]
    return sum(changes) / sum(task.loss_weight for task in tasks.values())


def mtl_gain_shares(
    tasks: Mapping[str, Task], metrics: Mapping[str, float], alone: Mapping[str, float]
) -> dict[str, float]:
    """Return the MTL gain of each task (PLE, Eq 11) as a share of its error when trained alone.

    The error is 1 − AUC, log loss or MSE, so that tasks of different metrics can be compared.

    Args:
        tasks: tasks by name.
        metrics: the metrics of the model of all tasks, by task.
        alone: the metrics of the networks of one task each, by task.
    """
    shares = {}
    for name, task in tasks.items():
        reference = error_of(task.validation_metric, alone[name])
        shares[name] = (reference - error_of(task.validation_metric, metrics[name])) / max(
            reference, 1e-9
        )
    return shares


def weighted_sum(
    tasks: Mapping[str, Task], metrics: Mapping[str, float], weights: Mapping[str, float]
) -> float:
    """Return Σ w_k · M_k over the tasks that have a weight, with a minus if lower is better.

    Args:
        tasks: tasks by name.
        metrics: the metrics, by task.
        weights: the weights, by task; tasks may be missing.
    """
    return sum(
        weight
        * (metrics[name] if HIGHER_IS_BETTER[tasks[name].validation_metric] else -metrics[name])
        for name, weight in weights.items()
    )

"""One number over the validation metrics of all tasks: for early stopping and for searches."""

from __future__ import annotations

from collections.abc import Mapping

from feature_spec.tasks.task import HIGHER_IS_BETTER, Metric, Task


def error_of(metric: Metric, value: float) -> float:
    """Return a metric as an error, so that lower is better for all: 1 − AUC, log loss or MSE."""
    return 1.0 - value if HIGHER_IS_BETTER[metric] else value


def relative_error(
    tasks: Mapping[str, Task], first: Mapping[str, float], now: Mapping[str, float]
) -> float:
    """Return the mean over tasks of the error now over the error after the first epoch.

    A ratio keeps the scale of one task from counting more than the others'.

    Args:
        tasks: tasks by name.
        first: the metrics after the first epoch, by task.
        now: the metrics now, by task.
    """
    ratios = [
        error_of(task.metric, now[name]) / max(error_of(task.metric, first[name]), 1e-9)
        for name, task in tasks.items()
    ]
    return sum(ratios) / len(ratios)


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
        reference = error_of(task.metric, alone[name])
        shares[name] = (reference - error_of(task.metric, metrics[name])) / max(reference, 1e-9)
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
        weight * (metrics[name] if tasks[name].higher_is_better else -metrics[name])
        for name, weight in weights.items()
    )

"""What a search is after: one number over all tasks, higher is better."""

from __future__ import annotations

from collections.abc import Mapping

from feature_spec.tasks.task import Task
from trainer.fit.early_stopping import error_of


def mtl_gain_shares(
    tasks: Mapping[str, Task], metrics: Mapping[str, float], alone: Mapping[str, float]
) -> dict[str, float]:
    """The MTL gain of each task (PLE, Eq 11) as a share of the error that the network trained on it alone has.

    The error is 1 − AUC, log loss or MSE, so that tasks of different metrics can be compared.

    Args:
        tasks: tasks by name.
        metrics: of the model of all tasks, by task.
        alone: of the networks of one task each, by task.
    """
    shares = {}
    for name, task in tasks.items():
        reference = error_of(task.metric, alone[name])
        shares[name] = (reference - error_of(task.metric, metrics[name])) / max(reference, 1e-9)
    return shares


def weighted_sum(
    tasks: Mapping[str, Task], metrics: Mapping[str, float], weights: Mapping[str, float]
) -> float:
    """Σ w_k · M_k over the tasks that have a weight, with a minus where lower is better."""
    return sum(
        weight * (metrics[name] if tasks[name].higher_is_better else -metrics[name])
        for name, weight in weights.items()
    )

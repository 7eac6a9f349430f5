"""Metrics of scores, each measured on the sample space of its task."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.papers.workload import Examples
from feature_spec import names
from feature_spec.tasks.task import Task

Scores = Mapping[str, npt.NDArray[np.floating]]


def task_metrics(
    tasks: Mapping[str, Task], examples: Examples, scores: Scores
) -> dict[str, dict[str, float]]:
    """Return `auc` and `log_loss` (binary) or `mse` (regression) by task.

    Args:
        tasks: the tasks, in the order of the columns of labels and masks.
        examples: the scored examples, with labels and masks (rows, K).
        scores: the scores of each task, (rows,).
    """
    from sklearn.metrics import log_loss, roc_auc_score

    result = {}
    for column, (name, task) in enumerate(tasks.items()):
        inside = examples[names.MASKS][:, column] > 0
        labels, own = (
            examples[names.LABELS][inside, column],
            np.asarray(scores[name], np.float64)[inside],
        )
        if task.kind == "binary":
            clipped = np.clip(own, 1e-7, 1 - 1e-7)
            result[name] = {
                "auc": float(roc_auc_score(labels, own)),
                "log_loss": float(log_loss(labels, clipped)),
            }
        else:
            result[name] = {"mse": float(np.mean(np.square(labels - own)))}
    return result


def own_metric(
    tasks: Mapping[str, Task], metrics: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return, for each task, the metric that the spec judges it by."""
    return {name: metrics[name][task.metric] for name, task in tasks.items()}

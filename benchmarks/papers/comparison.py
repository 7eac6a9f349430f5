"""Metrics of scores, and statistics over seeds: means, deviations, MTL gains, paired t-tests."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.papers.workload import Examples
from feature_spec import names
from feature_spec.tasks.task import HIGHER_IS_BETTER, Task

Scores = Mapping[str, npt.NDArray[np.floating]]
# Metrics by seed, then by task.
BySeed = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The result of one model on one task.

    Attributes:
        mean: mean of the task's own metric over the seeds.
        deviation: sample standard deviation over the seeds; 0 for one seed.
        gain: MTL gain over the mean of the single-task model (PLE, Eq 11), positive if this model
            is better.
        baseline: the name of the baseline with the best mean.
        p_value: p of a two-sided t-test against that baseline, paired by seed. None with fewer
            than two seeds, for a baseline, and if all differences are equal.
    """

    mean: float
    deviation: float
    gain: float
    baseline: str
    p_value: float | None


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


def compare(
    task_name: str,
    task: Task,
    results: Mapping[str, BySeed],
    single_task: str,
    proposed: Sequence[str],
) -> dict[str, TaskResult]:
    """Return the result of each model on one task.

    Args:
        task_name: the key of the task in the metrics.
        task: gives the direction of the metric.
        results: test metrics by model, then by seed; all models have the same seeds.
        single_task: the model that gains are measured against.
        proposed: the models that are no baselines; each is tested against the best baseline.
    """
    values = {
        model: [metrics[task_name] for _, metrics in sorted(by_seed.items())]
        for model, by_seed in results.items()
    }
    means = {model: statistics.fmean(of_model) for model, of_model in values.items()}
    sign = 1.0 if task.higher_is_better else -1.0
    baselines = [model for model in values if model not in proposed]
    best = max(baselines, key=lambda model: sign * means[model])
    return {
        model: TaskResult(
            mean=means[model],
            deviation=statistics.stdev(of_model) if len(of_model) > 1 else 0.0,
            gain=sign * (means[model] - means[single_task]),
            baseline=best,
            p_value=_paired_p_value(of_model, values[best]) if model in proposed else None,
        )
        for model, of_model in values.items()
    }


def _paired_p_value(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    from scipy.stats import ttest_rel

    differences = {round(mine - other, 12) for mine, other in zip(ours, theirs, strict=True)}
    return float(ttest_rel(ours, theirs).pvalue) if len(differences) > 1 else None


def best_setting(tasks: Mapping[str, Task], validation: Mapping[str, Mapping[str, float]]) -> str:
    """Return the setting with the smallest mean relative error over the tasks.

    As in early stopping, the error of a task is relative to its error under the first setting.

    Args:
        tasks: tasks by name.
        validation: the own metric of each task, by setting, then by task.
    """
    first = next(iter(validation.values()))

    def mean_relative_error(setting: str) -> float:
        return statistics.fmean(
            _error(task, validation[setting][name]) / max(_error(task, first[name]), 1e-9)
            for name, task in tasks.items()
        )

    return min(validation, key=mean_relative_error)


def _error(task: Task, value: float) -> float:
    return 1.0 - value if HIGHER_IS_BETTER[task.metric] else value

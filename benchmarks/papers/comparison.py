"""From test metrics of several seeds to what a table says: means, deviations, MTL gain and paired t-tests."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_spec.tasks.task import HIGHER_IS_BETTER, Task

# Metrics by seed, then by task.
BySeed = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """One model on one task.

    Attributes:
        mean: over seeds, of the task's own metric.
        deviation: sample standard deviation over seeds; 0 for one seed.
        gain: MTL gain over the single-task model's mean (PLE, Eq 11): positive where this model is
            better.
        baseline: the best baseline, by its mean.
        p_value: of a two-sided t-test, paired by seed, against it. None with fewer than two seeds,
            for a baseline itself, and where all differences are equal.
    """

    mean: float
    deviation: float
    gain: float
    baseline: str
    p_value: float | None


def compare(
    task_name: str,
    task: Task,
    results: Mapping[str, BySeed],
    single_task: str,
    proposed: Sequence[str],
) -> dict[str, TaskResult]:
    """Results by model.

    Args:
        task_name: of the metrics.
        task: tells the direction of its metric.
        results: test metrics by model, then seed; all of the same seeds.
        single_task: the model that gains are measured against.
        proposed: models that are no baselines: they are tested against the best of the others.
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
    """The setting with the smallest mean over tasks of the error relative to the first setting's, as in early stopping.

    Args:
        tasks: by name.
        validation: by setting, each task's own metric.
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

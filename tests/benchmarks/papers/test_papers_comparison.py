"""The tables follow from the metrics of the seeds."""

from __future__ import annotations

import pytest

from benchmarks.papers.comparison import best_setting, compare
from feature_spec.tasks.task import Task

BOUNDS = {"threshold": 0.0, "tolerance": 0.0}
AUC = Task.model_validate(
    {"kind": "binary", "label": {"rule": "event", "column": "c"}, "metric": "auc", **BOUNDS}
)
MSE = Task.model_validate(
    {"kind": "regression", "label": {"rule": "column", "column": "r"}, "metric": "mse", **BOUNDS}
)


def by_seed(*values: float) -> dict[int, dict[str, float]]:
    return {seed: {"task": value} for seed, value in enumerate(values, 1)}


RESULTS = {
    "single_task": by_seed(0.70, 0.71, 0.72),
    "mmoe": by_seed(0.71, 0.715, 0.72),
    "ple": by_seed(0.72, 0.73, 0.74),
}


def test_a_gain_is_positive_where_a_higher_auc_is_better():
    # Means .73 and .71.
    assert compare("task", AUC, RESULTS, "single_task", ["ple"])["ple"].gain == pytest.approx(0.02)


def test_a_gain_is_positive_where_a_lower_error_is_better():
    results = {"single_task": by_seed(0.20, 0.22), "ple": by_seed(0.17, 0.19)}
    # Means .21 and .18.
    assert compare("task", MSE, results, "single_task", ["ple"])["ple"].gain == pytest.approx(0.03)


def test_the_best_baseline_is_the_one_with_the_better_mean_in_the_direction_of_the_metric():
    # Means .71 and .715: the higher AUC, but the lower error.
    assert compare("task", AUC, RESULTS, "single_task", ["ple"])["ple"].baseline == "mmoe"
    assert compare("task", MSE, RESULTS, "single_task", ["ple"])["ple"].baseline == "single_task"


def test_the_t_test_is_paired_by_seed():
    # Differences .01, .015 and .02: mean .015, deviation .005, t = .015 / (.005 / √3) = 5.196. With
    # 2 degrees of freedom the two-sided p is 1 − t / √(t² + 2) = 1 − 5.196 / 5.385 = .0351.
    assert compare("task", AUC, RESULTS, "single_task", ["ple"])["ple"].p_value == pytest.approx(
        0.0351, abs=1e-4
    )


def test_seeds_are_paired_whatever_their_order():
    shuffled = {**RESULTS, "ple": dict(reversed(RESULTS["ple"].items()))}
    assert compare("task", AUC, shuffled, "single_task", ["ple"]) == compare(
        "task", AUC, RESULTS, "single_task", ["ple"]
    )


def test_a_baseline_is_not_tested():
    assert compare("task", AUC, RESULTS, "single_task", ["ple"])["mmoe"].p_value is None


def test_one_seed_gives_no_deviation_and_no_test():
    results = {"single_task": by_seed(0.70), "ple": by_seed(0.72)}
    result = compare("task", AUC, results, "single_task", ["ple"])["ple"]
    assert (result.deviation, result.p_value) == (0.0, None)


def test_the_setting_with_the_smallest_mean_relative_error_is_chosen():
    tasks = {"click": AUC, "ratio": MSE}
    validation = {"slow": {"click": 0.70, "ratio": 0.20}, "fast": {"click": 0.73, "ratio": 0.21}}
    # fast: (.27 / .30 + .21 / .20) / 2 = (.9 + 1.05) / 2 = .975, below slow's 1.
    assert best_setting(tasks, validation) == "fast"
    # fast: (.27 / .30 + .23 / .20) / 2 = (.9 + 1.15) / 2 = 1.025.
    assert best_setting(tasks, {**validation, "fast": {"click": 0.73, "ratio": 0.23}}) == "slow"

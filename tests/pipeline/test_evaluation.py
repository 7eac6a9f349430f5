"""The terms of blessing follow from the spec."""

from __future__ import annotations

from typing import Any

import pytest

from feature_spec.loading import load_spec
from pipeline.evaluation import evaluation_config
from pipeline.spec_overrides import load_overridden_spec


def metrics_of(task: str, *overrides: str) -> dict[str, Any]:
    config = evaluation_config(load_overridden_spec("short_video", overrides))
    [specs] = [specs for specs in config["metrics_specs"] if specs["output_names"] == [task]]
    return {metric["class_name"]: metric for metric in specs["metrics"]}


def test_each_tasks_output_meets_its_own_label_and_mask() -> None:
    [candidate, baseline] = evaluation_config(load_spec("short_video"))["model_specs"]
    assert candidate["prediction_keys"]["shr"] == "shr"
    assert candidate["label_keys"]["shr"] == "label_of_shr"
    assert candidate["example_weight_keys"]["shr"] == "mask_of_shr"
    assert baseline == {**candidate, "name": "baseline", "is_baseline": True}


def test_the_ranking_score_is_judged_by_nothing() -> None:
    assert "ranking_score" not in str(evaluation_config(load_spec("short_video")))


def test_a_binary_task_has_auc_and_log_loss_and_a_regression_task_mse() -> None:
    assert list(metrics_of("vtr")) == ["ExampleCount", "AUC", "BinaryCrossEntropy"]
    assert list(metrics_of("vcr")) == ["ExampleCount", "MeanSquaredError"]


def test_an_auc_may_not_fall_below_its_threshold_nor_by_more_than_its_tolerance() -> None:
    threshold = metrics_of("vtr", "tasks.vtr.threshold=0.7", "tasks.vtr.tolerance=0.02")["AUC"]["threshold"]
    assert threshold["value_threshold"] == {"lower_bound": 0.7}
    assert threshold["change_threshold"] == {"direction": "HIGHER_IS_BETTER", "absolute": -0.02}


@pytest.mark.parametrize(
    ("task", "metric", "class_name"), [("vtr", "log_loss", "BinaryCrossEntropy"), ("vcr", "mse", "MeanSquaredError")]
)
def test_an_error_may_not_rise_above_its_threshold_nor_by_more_than_its_tolerance(
    task: str, metric: str, class_name: str
) -> None:
    overrides = (f"tasks.{task}.metric={metric}", f"tasks.{task}.threshold=0.7", f"tasks.{task}.tolerance=0.02")
    threshold = metrics_of(task, *overrides)[class_name]["threshold"]
    assert threshold["value_threshold"] == {"upper_bound": 0.7}
    assert threshold["change_threshold"] == {"direction": "LOWER_IS_BETTER", "absolute": 0.02}


def test_only_the_tasks_own_metric_may_refuse_a_model() -> None:
    assert "threshold" not in metrics_of("vtr")["BinaryCrossEntropy"]
    assert "threshold" not in metrics_of("vtr", "tasks.vtr.metric=log_loss")["AUC"]


def test_a_task_without_examples_refuses_a_model_whatever_its_threshold() -> None:
    metrics = metrics_of("vtr", "tasks.vtr.threshold=0.0")
    assert metrics["ExampleCount"]["threshold"]["value_threshold"] == {"lower_bound": 1.0}
    # TFMA gives 0 for the AUC of labels that are all alike.
    assert metrics["AUC"]["threshold"]["value_threshold"]["lower_bound"] > 0.0


def test_the_whole_evaluation_split_is_the_only_slice() -> None:
    assert evaluation_config(load_spec("short_video"))["slicing_specs"] == [{}]

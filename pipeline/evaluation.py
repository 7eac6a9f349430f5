"""The terms of blessing: which metrics are computed for each task, and which of them may refuse a model."""

from __future__ import annotations

from typing import Any

from feature_spec import names
from feature_spec.spec import FeatureSpec
from feature_spec.task import Metric, Task

CANDIDATE, BASELINE = "candidate", "baseline"

# The weighted count of a task's valid rows: the sum of δ_k over the evaluation split.
EXAMPLE_COUNT = "example_count"
_AT_LEAST_ONE_EXAMPLE = {"class_name": "ExampleCount", "threshold": {"value_threshold": {"lower_bound": 1.0}}}
# TFMA's AUC of labels that are all alike, for which there is none.
UNDEFINED_AUC = 0.0
_LEAST_AUC = 1e-6
_CLASSES: dict[Metric, str] = {"auc": "AUC", "log_loss": "BinaryCrossEntropy", "mse": "MeanSquaredError"}
_METRICS_OF_KIND: dict[str, tuple[Metric, ...]] = {"binary": ("auc", "log_loss"), "regression": ("mse",)}


def evaluation_config(spec: FeatureSpec) -> dict[str, Any]:
    """The JSON form of a `tfma.EvalConfig` that judges every task on its own sample space.

    Each output of `serving_default` that is a task's meets the task's label and, as example weight, its mask: rows outside the
    sample space weigh nothing. TFMA drops the baseline and the change thresholds where there is no blessed model yet, and
    refuses a metric that is NaN. A task without a valid row in the evaluation split refuses the model.
    """
    return {
        "model_specs": [
            {
                "name": name,
                "is_baseline": name == BASELINE,
                "signature_name": names.SERVING_DEFAULT,
                "label_keys": {task: names.label_name(task) for task in spec.tasks},
                "prediction_keys": {task: task for task in spec.tasks},
                "example_weight_keys": {task: names.mask_name(task) for task in spec.tasks},
            }
            for name in (CANDIDATE, BASELINE)
        ],
        "slicing_specs": [{}],
        "metrics_specs": [
            {"output_names": [name], "metrics": [_AT_LEAST_ONE_EXAMPLE, *_metrics(task)]} for name, task in spec.tasks.items()
        ],
    }


def _metrics(task: Task) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = []
    for metric in _METRICS_OF_KIND[task.kind]:
        config: dict[str, Any] = {"class_name": _CLASSES[metric], "config": f'{{"name": "{metric}"}}'}
        if metric == task.metric:
            config["threshold"] = {"value_threshold": _worst_value(task), "change_threshold": _worst_change(task)}
        metrics.append(config)
    return metrics


def _worst_value(task: Task) -> dict[str, float]:
    if task.metric == "auc":
        return {"lower_bound": max(task.threshold, _LEAST_AUC)}
    return {"upper_bound": task.threshold}


def _worst_change(task: Task) -> dict[str, Any]:
    """Bounds candidate minus baseline."""
    if task.higher_is_better:
        return {"direction": "HIGHER_IS_BETTER", "absolute": -task.tolerance}
    return {"direction": "LOWER_IS_BETTER", "absolute": task.tolerance}

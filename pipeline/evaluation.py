"""What TFMA measures: each task's metrics on its own sample space, the order of the ranking score, slices."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from feature_spec import names
from feature_spec.evaluation import Ndcg
from feature_spec.spec import FeatureSpec
from feature_spec.task import Task

CANDIDATE, BASELINE = "candidate", "baseline"

# The weighted count of a task's valid rows: the sum of δ_k over the evaluation split.
EXAMPLE_COUNT = "example_count"
# Of the derived features, an example's gain in NDCG.
GAIN = "gain of the ranking score"
_QUERY_KEYS: dict[str, str] = {"user": names.USER_KEY, "request": names.REQUEST_KEY}
_CALIBRATION_BUCKETS = 500

# By name: TFMA's own class, or one of ours by its module, and settings.
_Metrics = Mapping[str, tuple[str, str | None, dict[str, Any]]]
_METRICS_OF_KIND: dict[str, _Metrics] = {
    "binary": {
        "auc": ("AUC", None, {}),
        "log_loss": ("BinaryCrossEntropy", None, {}),
        "relative_cross_entropy": ("RelativeCrossEntropy", "pipeline.relative_cross_entropy", {}),
        "calibration": ("Calibration", None, {}),
        "calibration_plot": ("CalibrationPlot", None, {"num_buckets": _CALIBRATION_BUCKETS}),
    },
    "regression": {
        "mse": ("MeanSquaredError", None, {}),
        "mae": ("MeanAbsoluteError", None, {}),
        "order_auc": ("OrderAUC", "pipeline.order_auc", {}),
    },
}
_OF_USERS: _Metrics = {"gauc": ("GroupedAUC", "pipeline.grouped_auc", {})}


def evaluation_config(spec: FeatureSpec, compared: Collection[str] | None = None) -> dict[str, Any]:
    """The JSON form of a `tfma.EvalConfig`.

    Each output of `serving_default` that is a task's meets the task's label and, as example weight, its mask: rows outside the
    sample space weigh nothing. Nothing has a threshold here, because TFMA knows no tolerance beyond noise; the seesaw gate
    reads what TFMA measured.

    Args:
        spec: whose tasks are judged.
        compared: outputs that a baseline gives too; None where there is no baseline.
    """
    outputs = list(spec.tasks) + [names.RANKING_SCORE] * (spec.evaluation.ndcg is not None)
    models = [_model_spec(spec, CANDIDATE, outputs)]
    if compared is not None:
        models.append(_model_spec(spec, BASELINE, [output for output in outputs if output in compared]) | {"is_baseline": True})
    metrics_specs = [metrics for name, task in spec.tasks.items() for metrics in _task_metrics(spec, name, task)]
    if spec.evaluation.ndcg is not None:
        metrics_specs.append(_ndcg_metrics(spec.evaluation.ndcg))
    if compared is not None:
        for metrics in metrics_specs:
            if not set(metrics["output_names"]) <= set(compared):
                metrics["model_names"] = [CANDIDATE]
    return {
        "model_specs": models,
        "slicing_specs": [{}, *({"feature_keys": [part.field]} for part in spec.evaluation.slices)],
        "metrics_specs": metrics_specs,
    }


def _model_spec(spec: FeatureSpec, name: str, outputs: Collection[str]) -> dict[str, Any]:
    tasks = [output for output in outputs if output in spec.tasks]
    label_keys = {task: names.label_name(task) for task in tasks}
    if names.RANKING_SCORE in outputs:
        label_keys[names.RANKING_SCORE] = GAIN
    return {
        "name": name,
        "signature_name": names.SERVING_DEFAULT,
        "label_keys": label_keys,
        "prediction_keys": {output: output for output in outputs},
        "example_weight_keys": {task: names.mask_name(task) for task in tasks},
    }


def _task_metrics(spec: FeatureSpec, name: str, task: Task) -> list[dict[str, Any]]:
    count = {"class_name": "ExampleCount"}
    specs: list[dict[str, Any]] = [{"output_names": [name], "metrics": [count, *_configs(_METRICS_OF_KIND[task.kind])]}]
    if task.kind == "binary" and spec.keys.user is not None:
        specs.append({"output_names": [name], "query_key": names.USER_KEY, "metrics": _configs(_OF_USERS)})
    return specs


def _ndcg_metrics(ndcg: Ndcg) -> dict[str, Any]:
    settings = {"gain_key": GAIN, "top_k_list": [ndcg.k]}
    return {
        "output_names": [names.RANKING_SCORE],
        "query_key": _QUERY_KEYS[ndcg.by],
        "example_weights": {"unweighted": True},
        "metrics": _configs({"ndcg": ("NDCG", None, settings)}),
    }


def _configs(metrics: _Metrics) -> list[dict[str, Any]]:
    return [
        {"class_name": class_name, "config": json.dumps({"name": name, **settings})} | ({"module": module} if module else {})
        for name, (class_name, module, settings) in metrics.items()
    ]

"""The configuration of TFMA: metrics of each task in its sample space, NDCG, slices and models."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from feature_spec import names
from feature_spec.sections import Ndcg
from feature_spec.spec import FeatureSpec
from feature_spec.tasks.task import Task

CANDIDATE, BASELINE = "candidate", "baseline"

# The weighted count of a task's valid rows: the sum of δ_k over the evaluation split.
EXAMPLE_COUNT = "example_count"
CALIBRATION_PLOT = "calibration_plot"
# The derived feature that says which part of the jackknife an example belongs to.
PART = "part of the jackknife"
QUERY_KEYS: dict[str, str] = {"user": names.USER_KEY, "request": names.REQUEST_KEY}


def eval_config(spec: FeatureSpec, compared: Collection[str] | None = None) -> dict[str, Any]:
    """Return the JSON form of a `tfma.EvalConfig`.

    No metric has a threshold here, because TFMA knows no tolerance beyond noise; the seesaw gate
    reads the intervals.

    Args:
        spec: the feature spec, whose tasks are evaluated.
        compared: the outputs that the baseline has, too; None where there is no baseline.
    """
    outputs = list(spec.judged_tasks) + [names.RANKING_SCORE] * (spec.evaluation.ndcg is not None)
    models = [_model_spec(CANDIDATE, outputs)]
    if compared is not None:
        models.append(
            _model_spec(BASELINE, [output for output in outputs if output in compared])
            | {"is_baseline": True}
        )
    metrics_specs = [
        metrics
        for name, task in spec.judged_tasks.items()
        for metrics in _task_metrics(spec, name, task)
    ]
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


def gauc_key(spec: FeatureSpec) -> str | None:
    """Return the feature among whose equal values GAUC compares examples; None without a key."""
    by = spec.evaluation.gauc_by
    return QUERY_KEYS[by] if getattr(spec.keys, by) is not None else None


def _model_spec(name: str, outputs: Collection[str]) -> dict[str, Any]:
    return {
        "name": name,
        "signature_name": names.SERVING_DEFAULT,
        "prediction_keys": {output: output for output in outputs},
    }


def _task_metrics(spec: FeatureSpec, name: str, task: Task) -> list[dict[str, Any]]:
    specs: list[dict[str, Any]] = [
        {
            "output_names": [name],
            "metrics": [_metric("TaskMetrics", kind=task.kind)],
        }
    ]
    key = gauc_key(spec)
    if task.kind == "binary" and key is not None:
        gauc = _metric("GroupedAUC")
        specs.append({"output_names": [name], "query_key": key, "metrics": [gauc]})
    return specs


def _ndcg_metrics(ndcg: Ndcg) -> dict[str, Any]:
    return {
        "output_names": [names.RANKING_SCORE],
        "query_key": QUERY_KEYS[ndcg.by],
        "metrics": [_metric("GroupedNDCG", k=ndcg.k)],
    }


def _metric(class_name: str, **settings: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": json.dumps(settings)}

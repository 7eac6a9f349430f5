"""Parts of a spec for single steps, so that a change re-runs only the steps that read it.

TFX reuses the outputs of a step when its inputs and settings are the same, byte by byte. Each step
therefore gets the spec with everything that it does not read replaced by a stand-in. Each part is a
whole valid spec for `feature_spec.loading.parse_spec`.
"""

from __future__ import annotations

import json
from typing import Any

from feature_spec.histories.history_fields import has_every_label
from feature_spec.spec import FeatureSpec, given_part
from feature_spec.tasks.task import VALIDATED_BY

_READ_BY_INGESTION = ("column", "table", "separator", "min_presence", "from", "part")
# The steps that read these sections get them as settings of their own.
_HANDED_OVER_ALONE = ("model", "trainer", "drift", "skew", "tuner", "spans")
_ANY_LABEL = {"kind": "binary", "label": {"rule": "event", "column": "any"}}
_ANY_TIME = {"column": "any", "unit": "s"}
_NO_BLESSING = {"threshold": 0.0, "tolerance": 0.0}


def transform_spec(spec: FeatureSpec) -> str:
    """Return the part that `preprocessing_fn` reads: the fields' transforms and task names."""
    part = _as_dict(spec)
    for field in part["fields"].values():
        _drop(field, *_READ_BY_INGESTION)
    part["tasks"] = {
        name: {**_ANY_LABEL, "metric": "auc", **_NO_BLESSING} for name in part["tasks"]
    }
    part["logs"] = _any_logs()
    part["ranking_formula"] = {"weights": {}}
    _drop(part, "keys", "sampling", "calibration", "evaluation", "serving")
    if spec.histories is not None:
        # What of a task decides which fields its histories become.
        for name, task in spec.tasks.items():
            if task.kind == "regression":
                part["tasks"][name] |= {"kind": "regression", "metric": "mse"}
            if not has_every_label(task):
                part["tasks"][name]["label"] = {"rule": "column", "column": "any"}
        part["keys"] = {"event_time": _ANY_TIME}
        _drop(part["histories"], "warm_up_days", "known_after_s", "refresh", "arrival_time")
        part["histories"]["known_after_s"] = 0.0
        for sequence in part["histories"].get("sequences", {}).values():
            _drop(sequence, "pooling", "heads", "search_by")
    return _without_split(part)


def training_spec(spec: FeatureSpec) -> str:
    """Return the part that the trainer reads.

    It holds everything that makes the fingerprint, loss weights, metrics, the sampling, the
    calibration but its limits, and the formula.
    """
    part = _model_part(spec)
    serving = part.pop("serving", {})
    # An export for XLA has a program for each of these counts.
    if spec.trainer.get("export_xla") and "candidate_counts" in serving:
        part["serving"] = {"candidate_counts": serving["candidate_counts"]}
    return _without_split(part)


def evaluation_spec(spec: FeatureSpec) -> str:
    """Return the part that the Evaluator reads.

    It holds the tasks with thresholds and tolerances, the section `evaluation`, its fields and
    keys, and the limits of the calibration.
    """
    part = _as_dict(spec)
    _keep_calibration(part, "within")
    part["logs"] = _any_logs(*part["logs"].get("tables", {}))
    _drop(part, "sampling", "serving")
    return _without_split(part)


def gain_spec(spec: FeatureSpec) -> str:
    """Return the part that `MtlGain` reads: the Evaluator's without blessing and NDCG."""
    part = json.loads(evaluation_spec(spec))
    for task in part["tasks"].values():
        task.update(_NO_BLESSING)
    _drop(part.get("evaluation", {}), "ndcg")
    _drop(part, "calibration")
    return json.dumps(part)


def serving_spec(spec: FeatureSpec) -> str:
    """Return the part that `PushCheck` reads: the trainer's and the section `serving`."""
    return _without_split(_model_part(spec))


def _model_part(spec: FeatureSpec) -> dict[str, Any]:
    part = _as_dict(spec)
    _keep_calibration(part, "method", "methods", "by", "shrinkage")
    for task in part["tasks"].values():
        task.update(_NO_BLESSING, metric=VALIDATED_BY.get(task["metric"], task["metric"]))
    part["logs"] = _any_logs(*part["logs"].get("tables", {}))
    keys = part.pop("keys", {})
    if spec.histories is not None or spec.time_fields:  # days begin where the time zone says
        part["keys"] = {"event_time": keys["event_time"]}
    _drop(part, "evaluation")
    return part


def _as_dict(spec: FeatureSpec) -> dict[str, Any]:
    part = given_part(spec)
    _drop(part, *_HANDED_OVER_ALONE)
    if spec.weight is not None:
        part["weight"] = {"column": "any"}
    return part


def _keep_calibration(part: dict[str, Any], *keys: str) -> None:
    """Keep these keys of the section `calibration`, or drop it where none is given."""
    kept = {key: value for key, value in part.pop("calibration", {}).items() if key in keys}
    if kept:
        part["calibration"] = kept


def _drop(mapping: dict[str, Any], *keys: str) -> None:
    for key in keys:
        mapping.pop(key, None)


def _any_logs(*tables: str) -> dict[str, Any]:
    source = {"path": ["any"], "format": "jsonl"}
    return {"exposures": source, "tables": {name: {**source, "key": "any"} for name in tables}}


def _without_split(part: dict[str, Any]) -> str:
    return json.dumps(part | {"split": {"evaluation_files": ["any"]}})

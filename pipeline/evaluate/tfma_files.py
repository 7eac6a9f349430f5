"""TFMA's files of an evaluation, which `tfma.load_eval_result` and TFMA's notebooks read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_model_analysis.proto import (
    config_pb2,
    metrics_for_slice_pb2,
    validation_result_pb2,
)

from pipeline.evaluate.metrics.eval_config import BASELINE, CANDIDATE, EXAMPLE_COUNT
from pipeline.evaluate.metrics.metric_intervals import UnsureValue, unsure_value
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.workspace.artifact_files import matching_files, write_bytes

# Weights and labels of the examples by part, (2, PARTS), which tell whether two runs had the same.
EXAMPLES_BY_PART = "examples by part"
_METRICS, _PLOTS, _VALIDATIONS = "metrics", "plots", "validations"
_FIRST_SHARD = "-00000-of-00001"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric or the calibration curve of one output of one model on one slice.

    Attributes:
        field: the field that makes the slice; "" for the whole split.
        slice_value: the field's value on the slice; b"" for the whole split.
        output: the name of the output.
        model: `CANDIDATE` or `BASELINE`.
        metric: the name of the metric; "" for the calibration curve.
        values: the metric of all examples, then without each part of the jackknife, (1 + P,); an
            example count alone, (1,); the curve, (R, 4); or the examples by part, (2, PARTS).
    """

    field: str
    slice_value: bytes
    output: str
    model: str
    metric: str
    values: np.ndarray


def write_eval_config(folder: str, config: dict[str, Any], models: Mapping[str, str]) -> None:
    """Write the configuration.

    Args:
        folder: the folder of the evaluation.
        config: the result of `eval_config`.
        models: folders of the models by name.
    """
    run = config_pb2.EvalRun(
        eval_config=json_format.ParseDict(config, config_pb2.EvalConfig()),
        version=importlib.metadata.version("tensorflow-model-analysis"),
        model_locations=_named(models),
    )
    write_bytes(f"{folder}/eval_config.json", json_format.MessageToJson(run).encode())


def write_results(folder: str, measured: Iterable[Measured], models: Iterable[str]) -> None:
    """Write metrics, their changes, and calibration curves by slice.

    Args:
        folder: the folder of the evaluation.
        measured: what was measured; of one output and slice in the order in which it is shown.
        models: names of the models.
    """
    named = _named(dict.fromkeys(models, ""))
    model_names = dict(zip(models, named, strict=True))
    metrics: dict[tuple[str, bytes], Any] = {}
    plots: dict[tuple[str, bytes], Any] = {}
    found = {
        (one.field, one.slice_value, one.output, one.model, one.metric): one for one in measured
    }
    for one in found.values():
        if one.metric == EXAMPLES_BY_PART:
            continue  # TFMA knows no such metric
        place = one.field, one.slice_value
        model = model_names[one.model]
        key = {"output_name": one.output, "model_name": model, "example_weighted": {}}
        if not one.metric:
            of_slice = plots.setdefault(place, _for_slice("PlotsForSlice", *place))
            entry = of_slice.plot_keys_and_values.add(key=key)
            entry.value.calibration_histogram_buckets.CopyFrom(_curve(one.values))
            continue
        of_slice = metrics.setdefault(place, _for_slice("MetricsForSlice", *place))
        entries = of_slice.metric_keys_and_values
        key["name"] = one.metric
        if one.metric == EXAMPLE_COUNT:
            entries.add(key=key).value.double_value.value = one.values[0]
            continue
        _add(entries, key, unsure_value(one.values, meaning_of(one.metric).range))
        compared = found.get((*place, one.output, BASELINE, one.metric))
        if one.model == CANDIDATE and compared is not None:
            # Both models have the same parts, so examples that are hard for both cancel out.
            _add(entries, key | {"is_diff": True}, unsure_value(one.values - compared.values))
    for name, protos in ((_METRICS, metrics), (_PLOTS, plots)):
        _write_records(f"{folder}/{name}{_FIRST_SHARD}.tfrecord", protos.values())
    # TFMA knows no tolerance beyond noise, so that the thresholds are the seesaw gate's.
    validation = validation_result_pb2.ValidationResult(missing_thresholds=True)
    _write_records(f"{folder}/{_VALIDATIONS}.tfrecord", [validation])


def read_metrics(folder: str) -> list[Any]:
    """Read the `MetricsForSlice` protos of an evaluation."""
    return _read(folder, _METRICS, metrics_for_slice_pb2.MetricsForSlice)


def read_plots(folder: str) -> list[Any]:
    """Read the `PlotsForSlice` protos of an evaluation."""
    return _read(folder, _PLOTS, metrics_for_slice_pb2.PlotsForSlice)


def _named(models: Mapping[str, str]) -> dict[str, str]:
    """Return the folders by TFMA's names of the models; a single model has none."""
    return dict(models) if len(models) > 1 else dict.fromkeys([""], *models.values())


def _for_slice(kind: str, field: str, value: bytes) -> Any:
    of_slice = getattr(metrics_for_slice_pb2, kind)()
    of_slice.slice_key.SetInParent()
    if field:
        of_slice.slice_key.single_slice_keys.add(column=field, bytes_value=value)
    return of_slice


def _add(entries: Any, key: Mapping[str, Any], estimate: UnsureValue) -> None:
    entry = entries.add(key=key)
    entry.value.double_value.value = estimate.value
    if estimate.interval is not None:
        interval = entry.confidence_interval
        lower, upper = estimate.interval
        interval.lower_bound.double_value.value = lower
        interval.upper_bound.double_value.value = upper
        interval.standard_error.double_value.value = estimate.error
        interval.degrees_of_freedom.value = estimate.degrees_of_freedom


def _curve(ranges: np.ndarray) -> Any:
    curve = metrics_for_slice_pb2.CalibrationHistogramBuckets()
    uppers = np.append(ranges[1:, 0], 1.0)
    for (lowest, weight, scores, labels), upper in zip(ranges, uppers, strict=False):
        curve.buckets.add(
            lower_threshold_inclusive=lowest,
            upper_threshold_exclusive=upper,
            num_weighted_examples={"value": weight},
            total_weighted_refined_prediction={"value": scores},
            total_weighted_label={"value": labels},
        )
    return curve


def _write_records(path: str, protos: Iterable[Any]) -> None:
    with tf.io.TFRecordWriter(path) as writer:
        for proto in protos:
            writer.write(proto.SerializeToString())


def _read(folder: str, name: str, kind: Any) -> list[Any]:
    records = tf.data.TFRecordDataset(matching_files(folder, f"{name}-*"))
    return [kind.FromString(record) for record in records.as_numpy_iterator()]

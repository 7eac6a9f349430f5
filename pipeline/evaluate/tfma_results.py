"""Conversion of TFMA's protos to one measurement for each output and slice."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from feature_spec.spec import FeatureSpec
from pipeline.evaluate.evaluation_result import CalibrationBucket, Estimate, Measurement
from pipeline.evaluate.metrics.eval_config import BASELINE, EXAMPLE_COUNT
from pipeline.evaluate.metrics.metric_registry import meaning_of


def measurements(
    spec: FeatureSpec, metrics: Iterable[Any], plots: Iterable[Any]
) -> dict[str, list[Measurement]]:
    """Return measurements by output: the whole split first, then slices in the spec's order.

    Args:
        spec: the feature spec.
        metrics: `MetricsForSlice` protos.
        plots: `PlotsForSlice` protos.
    """
    curves = {
        (_slice_of(of_slice), entry.key.output_name): _curve(
            entry.value.calibration_histogram_buckets.buckets
        )
        for of_slice in plots
        for entry in of_slice.plot_keys_and_values
        if entry.key.model_name != BASELINE
    }
    found: dict[tuple[tuple[str, str], str], list[dict[str, Estimate]]] = {}
    for of_slice in metrics:
        place = _slice_of(of_slice)
        for entry in of_slice.metric_keys_and_values:
            key = entry.key
            if entry.value.HasField("double_value"):
                kinds = found.setdefault((place, key.output_name), [{}, {}, {}])
                kinds[2 if key.is_diff else int(key.model_name == BASELINE)][key.name] = _estimate(
                    entry
                )
    by_output: dict[str, list[Measurement]] = {}
    for (place, output), kinds in sorted(found.items(), key=lambda item: _rank(spec, item[0][0])):
        count = kinds[0].get(EXAMPLE_COUNT)
        for values in kinds:
            values.pop(EXAMPLE_COUNT, None)
        by_output.setdefault(output, []).append(
            Measurement(
                field=place[0],
                value=place[1],
                example_count=round(count.value or 0.0) if count else 0,
                metrics=kinds[0],
                baseline=kinds[1],
                changes=kinds[2],
                calibration=curves.get((place, output), []),
            )
        )
    return by_output


def _slice_of(proto: Any) -> tuple[str, str]:
    """Return the slice's field and value, both "" for the whole split."""
    for single in proto.slice_key.single_slice_keys:
        return single.column, single.bytes_value.decode("utf-8", "replace")
    return "", ""


def _rank(spec: FeatureSpec, place: tuple[str, str]) -> tuple[int, int, str]:
    """Return the sort key of a slice: whole split, spec's order, then numbers or the alphabet."""
    for position, part in enumerate(spec.evaluation.slices):
        if part.field == place[0]:
            names = part.numeric_names
            return position, names.index(place[1]) if place[1] in names else len(names), place[1]
    return -1, 0, ""


def _estimate(entry: Any) -> Estimate:
    value = entry.value.double_value.value
    if not math.isfinite(value):
        return Estimate(value=None)
    if entry.HasField("confidence_interval"):
        lower = entry.confidence_interval.lower_bound.double_value.value
        upper = entry.confidence_interval.upper_bound.double_value.value
        if math.isfinite(lower) and math.isfinite(upper):
            of_metric = meaning_of(entry.key.name).range
            interval = (
                of_metric.change_interval(lower, upper)
                if entry.key.is_diff
                else of_metric.interval(value, (upper - lower) / 2.0)
            )
            if interval is not None:
                return Estimate(value=value, lower=interval[0], upper=interval[1])
    return Estimate(value=value)


def _curve(histogram: Iterable[Any]) -> list[CalibrationBucket]:
    return [
        CalibrationBucket(
            example_count=bucket.num_weighted_examples.value,
            mean_score=bucket.total_weighted_refined_prediction.value
            / bucket.num_weighted_examples.value,
            mean_label=bucket.total_weighted_label.value / bucket.num_weighted_examples.value,
        )
        for bucket in histogram
    ]

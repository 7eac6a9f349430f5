"""The inputs and the jackknife intervals of our TFMA metrics.

TFMA's own jackknife combines every metric anew for each part and takes minutes. Here a combiner
leaves an array under a private key: the metric of all examples, then without each part. A derived
metric turns the arrays into what TFMA writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow_model_analysis import constants, types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.metrics.metric_types import StandardMetricInputsPreprocessor
from tensorflow_model_analysis.utils import model_util

from pipeline.evaluate.metrics.eval_config import BASELINE, PART
from pipeline.evaluate.metrics.jackknife import standard_error
from pipeline.evaluate.metrics.metric_range import MetricRange
from pipeline.evaluate.metrics.metric_registry import meaning_of

_ROUNDING = 1e-12


def features_preprocessor(output: str) -> StandardMetricInputsPreprocessor:
    """Return the preprocessor that keeps the part, and label, weight and scores of an output."""
    return StandardMetricInputsPreprocessor(
        {constants.FEATURES_KEY: {PART: {}, output: {}}}, include_default_inputs=False
    )


def score_column(model: str) -> int:
    """Return the column of a model's scores: label, weight, candidate's and baseline's scores."""
    return 3 if model == BASELINE else 2


_Metrics = dict[metric_types.MetricKey, Any]


def private(key: metric_types.MetricKey) -> metric_types.MetricKey:
    """Return the key under which a combiner leaves the array of a metric; (1 + P,)."""
    # TFMA drops metrics whose names begin with an underscore.
    return key._replace(name=f"_{key.name}")


def with_intervals(
    keys: Sequence[metric_types.MetricKey], eval_config: Any
) -> metric_types.CIDerivedMetricComputation:
    """Return the computation that gives metrics, and their changes from the baseline, intervals.

    Args:
        keys: metrics whose arrays a combiner has left under `private` keys.
        eval_config: the `tfma.EvalConfig`, which names the baseline.
    """
    baseline_spec = model_util.get_baseline_model_spec(eval_config)
    baseline = baseline_spec.name if baseline_spec else None

    def result(metrics: _Metrics) -> _Metrics:
        found = {}
        for key in keys:
            values = metrics[private(key)]
            found[key] = _estimate(values, meaning_of(key.name).range)
            if baseline is not None and key.model_name != baseline:
                compared = metrics.get(private(key.make_baseline_key(baseline)))
                if compared is not None:
                    # Both models have the same parts, so examples that are hard for both cancel
                    # out.
                    found[key.make_diff_key()] = _estimate(values - compared)
        return found

    return metric_types.CIDerivedMetricComputation(keys=list(keys), result=result)


def _estimate(
    values: np.ndarray, of_metric: MetricRange | None = None
) -> float | types.ValueWithTDistribution:
    """Return a value with its standard error; the value alone if nobody can tell how sure it is.

    Args:
        values: a metric of all parts, then without each part, or a difference of such; (1 + P,).
        of_metric: the range of the metric. The error is then one on the scale without ends, times
            the slope, which `MetricRange.interval` divides by.
    """
    value, error = float(values[0]), standard_error(values)
    if of_metric is not None:
        scaled = standard_error(of_metric.scaled(values)) * of_metric.slope(value)
        error = scaled if math.isfinite(scaled) else error
    equal = of_metric is None and not values.any()  # models that differ nowhere
    # A value that is the same without each part has an error that nobody has seen, not none.
    unseen = error <= _ROUNDING * max(1.0, abs(value)) and not equal
    if not math.isfinite(error) or unseen:
        return value
    return types.ValueWithTDistribution(value, error, len(values) - 2, value)

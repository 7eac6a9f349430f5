"""Gives TFMA metrics of ours their intervals, and those of the differences between candidate and blessed model.

TFMA's own jackknife combines every metric anew for each part and takes minutes. Here a combiner
leaves arrays under a private key, a metric of all examples and then without each part, and this
turns them into what TFMA writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow_model_analysis import types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import model_util

from pipeline.evaluate.metrics.jackknife import standard_error

_Metrics = dict[metric_types.MetricKey, Any]


def private(key: metric_types.MetricKey) -> metric_types.MetricKey:
    """Where a combiner leaves the array of a metric: (1 + P,), of all examples, then without each of P parts."""
    # TFMA drops what begins so at the end.
    return key._replace(name=f"_{key.name}")


def with_intervals(
    keys: Sequence[metric_types.MetricKey], eval_config: Any
) -> metric_types.CIDerivedMetricComputation:
    """The metrics of these keys, and their differences from the baseline, each with its interval where there is one."""
    baseline_spec = model_util.get_baseline_model_spec(eval_config)
    baseline = baseline_spec.name if baseline_spec else None

    def result(metrics: _Metrics) -> _Metrics:
        found = {}
        for key in keys:
            values = metrics[private(key)]
            found[key] = _estimate(values)
            if baseline is not None and key.model_name != baseline:
                compared = metrics.get(private(key.make_baseline_key(baseline)))
                if compared is not None:
                    # Both models were judged on the same parts, so what makes an example hard for
                    # both cancels out.
                    found[key.make_diff_key()] = _estimate(values - compared)
        return found

    return metric_types.CIDerivedMetricComputation(keys=list(keys), result=result)


def _estimate(values: np.ndarray) -> float | types.ValueWithTDistribution:
    value, error = float(values[0]), standard_error(values)
    if not math.isfinite(error):
        return value
    return types.ValueWithTDistribution(value, error, len(values) - 2, value)

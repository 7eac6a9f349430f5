"""GAUC as a TFMA metric: the AUC among each user's own exposures, averaged over users by their number of exposures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from typing_extensions import override

_Sums = tuple[float, float]


def auc_of(labels: np.ndarray, scores: np.ndarray) -> float:
    """The exact AUC, equal scores counting half; NaN where labels are all alike.

    Args:
        labels: (N,), positive where above 0.
        scores: (N,).
    """
    positive = labels > 0.0
    positives = int(positive.sum())
    negatives = labels.size - positives
    if not positives or not negatives:
        return math.nan
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((mean_ranks[place][positive].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


class GroupedAUC(metric_types.Metric):
    """Needs a query key, whose values are the users. Users without both labels in the sample space are left out."""

    def __init__(self, name: str = "gauc") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str, eval_config: Any = None, model_name: str = "", output_name: str = "", example_weighted: bool = False
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(name, model_name=model_name, output_name=output_name, example_weighted=example_weighted)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=_Combiner(key, eval_config))]


class _Combiner(beam.CombineFn):
    """Sums AUC · exposures and exposures over users."""

    def __init__(self, key: metric_types.MetricKey, eval_config: Any) -> None:
        super().__init__()
        self._key, self._eval_config = key, eval_config

    @override
    def create_accumulator(self) -> _Sums:
        return 0.0, 0.0

    @override
    def add_input(self, mutable_accumulator: _Sums, element: metric_types.StandardMetricInputs) -> _Sums:
        [(labels, scores, weights)] = metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=self._key.example_weighted,
            flatten=False,
        )
        inside = np.broadcast_to(np.ravel(weights), labels.size) > 0.0
        auc = auc_of(np.ravel(labels)[inside], np.ravel(scores)[inside])
        if math.isnan(auc):
            return mutable_accumulator
        total, exposures = mutable_accumulator
        count = float(inside.sum())
        return total + auc * count, exposures + count

    @override
    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        totals, exposures = zip(*accumulators, strict=True)
        return sum(totals), sum(exposures)

    @override
    def extract_output(self, accumulator: _Sums) -> dict[metric_types.MetricKey, float]:
        total, exposures = accumulator
        return {self._key: total / exposures if exposures else math.nan}

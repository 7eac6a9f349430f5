"""Order AUC as a TFMA metric: the share of pairs of examples with different labels that a regression orders rightly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from typing_extensions import override

# Labels and scores are cut to float32's sign, exponent and 7 bits of mantissa. So what a combiner holds is bounded, and small
# numbers are told apart as well as large ones.
_BITS_CUT = 16
_Weights = dict[tuple[int, int], float]


def order_auc(weights: Mapping[tuple[int, int], float]) -> float:
    """The share of rightly ordered pairs, equal scores counting half; NaN where labels are all alike.

    Args:
        weights: sum of weights by label and score, each a number that orders them.
    """
    if not weights:
        return math.nan
    labels, scores = (np.unique(column, return_inverse=True)[1] for column in np.array(list(weights)).T)
    at = np.zeros((labels.max() + 1, scores.max() + 1))
    at[labels, scores] = list(weights.values())
    with_smaller_label = np.cumsum(at, axis=0) - at
    with_smaller_score_too = np.cumsum(with_smaller_label, axis=1) - with_smaller_label / 2.0
    pairs = float((at.sum(axis=1) * with_smaller_label.sum(axis=1)).sum())
    return float((at * with_smaller_score_too).sum()) / pairs if pairs else math.nan


def ordinal(number: float) -> int:
    """An integer that orders numbers as they are ordered; those that differ by less than a hundredth may have the same."""
    bits = int(np.float32(number).view(np.int32))
    return bits >> _BITS_CUT if bits >= 0 else -((bits & 0x7FFFFFFF) >> _BITS_CUT)


class OrderAUC(metric_types.Metric):
    """1 where scores are ordered as labels are, 0.5 where they are ordered at random."""

    def __init__(self, name: str = "order_auc") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str, eval_config: Any = None, model_name: str = "", output_name: str = "", example_weighted: bool = False
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(name, model_name=model_name, output_name=output_name, example_weighted=example_weighted)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=_Combiner(key, eval_config))]


class _Combiner(beam.CombineFn):
    """Sums weights by label and score."""

    def __init__(self, key: metric_types.MetricKey, eval_config: Any) -> None:
        super().__init__()
        self._key, self._eval_config = key, eval_config

    @override
    def create_accumulator(self) -> _Weights:
        return {}

    @override
    def add_input(self, mutable_accumulator: _Weights, element: metric_types.StandardMetricInputs) -> _Weights:
        for label, score, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=self._key.example_weighted,
        ):
            if weight.item() > 0.0:
                place = ordinal(label.item()), ordinal(score.item())
                mutable_accumulator[place] = mutable_accumulator.get(place, 0.0) + weight.item()
        return mutable_accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[_Weights]) -> _Weights:
        first, *others = accumulators
        for weights in others:
            for place, weight in weights.items():
                first[place] = first.get(place, 0.0) + weight
        return first

    @override
    def extract_output(self, accumulator: _Weights) -> dict[metric_types.MetricKey, float]:
        return {self._key: order_auc(accumulator)}

"""GAUC of users and NDCG of users or requests, averaged over the lists, as TFMA metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from typing_extensions import override

from pipeline.evaluate.metrics.eval_config import PART
from pipeline.evaluate.metrics.jackknife import PARTS, whole_and_without_each
from pipeline.evaluate.metrics.metric_intervals import (
    features_preprocessor,
    private,
    score_column,
    with_intervals,
)
from pipeline.evaluate.metrics.ranking_metrics import ndcg_at, pairwise_auc


@dataclass(frozen=True)
class _Group:
    """The N examples of a user or request that lie in the sample space; (N,) each."""

    labels: np.ndarray
    weights: np.ndarray
    scores: np.ndarray


# A group's value, NaN where it is undefined, and the group's weight.
_OfGroup = Callable[[_Group], tuple[float, float]]


class GroupedAUC(metric_types.Metric):
    """The AUC among each user's own exposures, averaged by the number of exposures.

    Users without both labels are left out. The query key is the user.
    """

    def __init__(self, name: str = "gauc") -> None:
        super().__init__(_gauc, name=name)


class GroupedNDCG(metric_types.Metric):
    """NDCG@k of each user's or request's exposures, averaged; lists without any gain are left out.

    The query key says whose lists. Unlike TFMA's NDCG, the result does not depend on the order of
    examples with equal scores.

    Args:
        k: the number of places that count.
        name: the name of the metric.
    """

    def __init__(self, k: int, name: str = "ndcg") -> None:
        super().__init__(_ndcg, k=k, name=name)


def _gauc(
    name: str,
    eval_config: Any = None,
    model_names: Iterable[str] = ("",),
    output_names: Iterable[str] = ("",),
) -> metric_types.MetricComputations:
    def of_user(group: _Group) -> tuple[float, float]:
        return pairwise_auc(group.labels, group.scores, group.weights), float(group.weights.sum())

    return _computations(_keys(name, model_names, output_names), eval_config, of_user)


def _ndcg(
    k: int,
    name: str,
    eval_config: Any = None,
    model_names: Iterable[str] = ("",),
    output_names: Iterable[str] = ("",),
) -> metric_types.MetricComputations:
    def of_list(group: _Group) -> tuple[float, float]:
        return ndcg_at(k, group.labels, group.scores), 1.0

    return _computations(_keys(name, model_names, output_names), eval_config, of_list)


def _keys(
    name: str, model_names: Iterable[str], output_names: Iterable[str]
) -> list[metric_types.MetricKey]:
    return [
        metric_types.MetricKey(name, model_name=model, output_name=output)
        for model in model_names
        for output in output_names
    ]


def _computations(
    keys: list[metric_types.MetricKey], eval_config: Any, of_group: _OfGroup
) -> metric_types.MetricComputations:
    return [
        *(
            metric_types.MetricComputation(
                [key], [features_preprocessor(key.output_name)], _Mean(key, of_group)
            )
            for key in keys
        ),
        with_intervals(keys, eval_config),
    ]


class _Mean(beam.CombineFn):
    """Sums weight · value and weight of groups by part; (PARTS, 2)."""

    def __init__(self, key: metric_types.MetricKey, of_group: _OfGroup) -> None:
        super().__init__()
        self._key, self._of_group = key, of_group

    @override
    def create_accumulator(self) -> np.ndarray:
        return np.zeros((PARTS, 2))

    @override
    def add_input(
        self, mutable_accumulator: np.ndarray, element: metric_types.StandardMetricInputs
    ) -> np.ndarray:
        labels, weights, scores = element.features[self._key.output_name][
            :, [0, 1, score_column(self._key.model_name)]
        ].T
        inside = weights > 0.0
        group = _Group(labels[inside], weights[inside], scores[inside])
        value, weight = self._of_group(group)
        if not np.isnan(value):
            # Scores that are not numbers have no order, and the average has no value.
            value = value if np.isfinite(group.scores).all() else np.nan
            mutable_accumulator[np.ravel(element.features[PART])[0]] += weight * value, weight
        return mutable_accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return np.sum(list(accumulators), axis=0)

    @override
    def extract_output(self, accumulator: np.ndarray) -> dict[metric_types.MetricKey, np.ndarray]:
        totals = whole_and_without_each(accumulator, accumulator[:, 1] > 0.0)
        with np.errstate(invalid="ignore"):
            return {private(self._key): totals[:, 0] / totals[:, 1]}

"""All metrics of a task as one TFMA metric, which sums the examples once.

TFMA's own metrics have no interval without its slow jackknife. Some of them, such as
BinaryCrossEntropy and MeanSquaredError, count the first of several accumulators twice and are wrong
where several workers share the examples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import CalibrationHistogramBuckets
from typing_extensions import override

from feature_spec.tasks.label_rule import TaskKind
from pipeline.evaluate.metrics.eval_config import (
    CALIBRATION_PLOT,
    EXAMPLE_COUNT,
    PART,
)
from pipeline.evaluate.metrics.metric_accumulators import (
    TaskSums,
    added,
    calibration_curve,
    metrics_of,
    sums_of,
)
from pipeline.evaluate.metrics.metric_intervals import (
    features_preprocessor,
    private,
    score_column,
    with_intervals,
)
from pipeline.evaluate.metrics.metric_registry import task_metrics

# Examples are summed so many at a time: a loop in Python over each would take most of the
# Evaluator's time.
_ROWS = 4096


class TaskMetrics(metric_types.Metric):
    """All metrics of a task, its example count and, of a binary task, its calibration curve.

    Args:
        kind: the kind of the task.
        name: the name of the group of metrics, which no report shows.
    """

    def __init__(self, kind: TaskKind, name: str = "task_metrics") -> None:
        super().__init__(_computations, kind=kind, name=name)


def _computations(
    kind: TaskKind,
    name: str,  # noqa: ARG001
    eval_config: Any = None,
    model_names: Iterable[str] = ("",),
    output_names: Iterable[str] = ("",),
) -> metric_types.MetricComputations:
    computations: metric_types.MetricComputations = []
    for output in output_names:
        keys = []
        for model in model_names:
            key = metric_types.MetricKey(EXAMPLE_COUNT, model_name=model, output_name=output)
            keys += [key._replace(name=metric) for metric in task_metrics(kind)]
            computations.append(
                metric_types.MetricComputation(
                    keys=[key],
                    preprocessors=[features_preprocessor(output)],
                    combiner=_Combiner(kind, key),
                )
            )
        computations.append(with_intervals(keys, eval_config))
    return computations


@dataclass
class _Accumulator:
    """Examples that are not yet summed, and sums over the others.

    Attributes:
        rows: part, label, score and weight of each example, one after the other.
        sums: sums over the other examples.
    """

    rows: array = field(default_factory=lambda: array("d"))
    sums: list[TaskSums] = field(default_factory=list)


class _Combiner(beam.CombineFn):
    def __init__(self, kind: TaskKind, count_key: metric_types.MetricKey) -> None:
        super().__init__()
        self._kind: TaskKind = kind
        self._count_key = count_key
        self._score_column = score_column(count_key.model_name)

    @override
    def create_accumulator(self) -> _Accumulator:
        return _Accumulator()

    @override
    def add_input(
        self, mutable_accumulator: _Accumulator, element: metric_types.StandardMetricInputs
    ) -> _Accumulator:
        judged = element.features[self._count_key.output_name]
        label, weight, score = judged[0], judged[1], judged[self._score_column]
        if weight > 0.0:
            mutable_accumulator.rows.extend((element.features[PART].item(), label, score, weight))
            if len(mutable_accumulator.rows) >= 4 * _ROWS:
                return self.compact(mutable_accumulator)
        return mutable_accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        merged = _Accumulator()
        for accumulator in accumulators:
            merged.rows.extend(accumulator.rows)
            merged.sums.extend(accumulator.sums)
            if len(merged.rows) >= 4 * _ROWS:
                merged = self.compact(merged)
        return merged

    @override
    def compact(self, accumulator: _Accumulator) -> _Accumulator:
        return _Accumulator(sums=[self._summed(accumulator)])

    @override
    def extract_output(self, accumulator: _Accumulator) -> dict[metric_types.MetricKey, Any]:
        sums = self._summed(accumulator)
        found: dict[metric_types.MetricKey, Any] = {
            self._count_key: float(sums.moments[:, 0].sum())
        }
        for name, values in metrics_of(self._kind, sums).items():
            found[private(self._count_key._replace(name=name))] = values
        if self._kind == "binary":
            found[metric_types.PlotKey(*self._count_key._replace(name=CALIBRATION_PLOT))] = _plot(
                calibration_curve(sums)
            )
        return found

    def _summed(self, accumulator: _Accumulator) -> TaskSums:
        rows = np.array(accumulator.rows).reshape(-1, 4)
        return added(self._kind, [*accumulator.sums, sums_of(self._kind, rows)])


def _plot(curve: np.ndarray) -> CalibrationHistogramBuckets:
    plot = CalibrationHistogramBuckets()
    for (lowest, weight, scores, labels), upper in zip(
        curve, np.append(curve[1:, 0], 1.0), strict=False
    ):
        plot.buckets.add(
            lower_threshold_inclusive=lowest,
            upper_threshold_exclusive=upper,
            num_weighted_examples={"value": weight},
            total_weighted_refined_prediction={"value": scores},
            total_weighted_label={"value": labels},
        )
    return plot

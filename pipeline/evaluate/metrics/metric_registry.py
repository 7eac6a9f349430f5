"""The metrics that the Evaluator reports: name, formula and meaning of each in one place.

To add a metric of a task, add an entry to `METRICS`. The Evaluator then computes it with its
jackknife interval, and the report explains it and colours its changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from feature_spec.tasks.label_rule import TaskKind
from pipeline.evaluate.metrics.metric_range import SHARE, SIZE, MetricRange

Moment = Callable[[np.ndarray, np.ndarray], np.ndarray]
Value = TypeVar("Value")

# Keras' own, which keeps the loss of a certain mistake finite.
EPSILON = 1e-7


@dataclass(frozen=True)
class MetricTotals:
    """Sums over all examples, then over the examples without each of the P parts of the jackknife.

    Attributes:
        weight: sums of weights; (1 + P,).
        moments: weighted sums of each moment; (1 + P,) each.
        pairwise_auc: the pairwise AUC of labels and scores; (1 + P,).
    """

    weight: np.ndarray
    moments: Mapping[Moment, np.ndarray]
    pairwise_auc: np.ndarray

    def mean(self, moment: Moment) -> np.ndarray:
        """Return the weighted means of a moment; (1 + P,)."""
        means: np.ndarray = self.moments[moment] / self.weight
        return means


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """A metric: how to compute it, and how to read it.

    Attributes:
        label: the name on a page.
        meaning: one sentence for a tooltip.
        higher_is_better: the direction; None where a certain value is best.
        range: the values that are possible, which its interval does not leave.
        kind: the kind of the tasks that have the metric; None for the metrics of lists, which
            `list_metrics` computes.
        moments: functions of labels (N,) and scores (N,) whose weighted sums `value` reads.
        value: the formula; its result is (1 + P,), and NaN or infinite where undefined.
    """

    label: str
    meaning: str
    higher_is_better: bool | None
    range: MetricRange = SHARE
    kind: TaskKind | None = None
    moments: tuple[Moment, ...] = ()
    value: Callable[[MetricTotals], np.ndarray] | None = None


def label_moment(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Return the labels."""
    return labels


def score_moment(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Return the scores."""
    return scores


def cross_entropy(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each label and score, the score clipped as Keras does."""
    likely = np.clip(scores, EPSILON, 1.0 - EPSILON)
    losses: np.ndarray = -(labels * np.log(likely) + (1.0 - labels) * np.log(1.0 - likely))
    return losses


def squared_error(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the squared error of each score."""
    errors: np.ndarray = (scores - labels) ** 2
    return errors


def absolute_error(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the absolute error of each score."""
    errors: np.ndarray = np.abs(scores - labels)
    return errors


def _normalized_entropy(totals: MetricTotals) -> np.ndarray:
    rate = totals.mean(label_moment)
    base = -(rate * np.log(rate) + (1.0 - rate) * np.log(1.0 - rate))
    entropy: np.ndarray = totals.mean(cross_entropy) / base
    return entropy


def label_square(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:  # noqa: ARG001
    """Return the squares of labels."""
    squares: np.ndarray = labels**2
    return squares


def _normalized_mse(totals: MetricTotals) -> np.ndarray:
    variance = totals.mean(label_square) - totals.mean(label_moment) ** 2
    # Labels that are all alike leave rounding.
    known = variance > 1e-12 * totals.mean(label_square)
    error: np.ndarray = totals.mean(squared_error) / np.where(known, variance, np.nan)
    return error


METRICS: dict[str, MetricDefinition] = {
    "auc": MetricDefinition(
        label="AUC",
        meaning="Share of pairs of a positive and a negative example in the right order; "
        "0.5 is chance.",
        higher_is_better=True,
        kind="binary",
        value=lambda totals: totals.pairwise_auc,
    ),
    "gauc": MetricDefinition(
        label="GAUC",
        meaning="AUC among the examples of each user (or request), averaged over those with both "
        "labels by their number of examples.",
        higher_is_better=True,
    ),
    "log_loss": MetricDefinition(
        label="log loss",
        meaning="Mean cross-entropy of score and label.",
        higher_is_better=False,
        range=SIZE,
        kind="binary",
        moments=(cross_entropy,),
        value=lambda totals: totals.mean(cross_entropy),
    ),
    # He et al. 2014, "Practical Lessons from Predicting Clicks on Ads at Facebook", section 3.
    "normalized_entropy": MetricDefinition(
        label="normalized entropy",
        meaning="Log loss divided by the log loss of always giving the base rate; below 1 the "
        "scores tell something.",
        higher_is_better=False,
        range=SIZE,
        kind="binary",
        moments=(label_moment, cross_entropy),
        value=_normalized_entropy,
    ),
    "calibration": MetricDefinition(
        label="calibration",
        meaning="Sum of scores over sum of labels; above 1 scores are too high.",
        higher_is_better=None,
        range=SIZE,
        kind="binary",
        moments=(label_moment, score_moment),
        value=lambda totals: totals.moments[score_moment] / totals.moments[label_moment],
    ),
    "mse": MetricDefinition(
        label="MSE",
        meaning="Mean squared error.",
        higher_is_better=False,
        range=SIZE,
        kind="regression",
        moments=(squared_error,),
        value=lambda totals: totals.mean(squared_error),
    ),
    "normalized_mse": MetricDefinition(
        label="normalized MSE",
        meaning="MSE divided by the MSE of always giving the mean label, which is their variance; "
        "below 1 the scores tell something.",
        higher_is_better=False,
        range=SIZE,
        kind="regression",
        moments=(squared_error, label_moment, label_square),
        value=_normalized_mse,
    ),
    "mae": MetricDefinition(
        label="MAE",
        meaning="Mean absolute error.",
        higher_is_better=False,
        range=SIZE,
        kind="regression",
        moments=(absolute_error,),
        value=lambda totals: totals.mean(absolute_error),
    ),
    # Zhan et al. 2022, "Deconfounding Duration Bias in Watch-time Prediction for Video
    # Recommendation".
    "xauc": MetricDefinition(
        label="XAUC",
        meaning="Share of pairs with different labels in the right order (concordance); "
        "0.5 is chance.",
        higher_is_better=True,
        kind="regression",
        value=lambda totals: totals.pairwise_auc,
    ),
    "ndcg": MetricDefinition(
        label="NDCG",
        meaning="Gain that the ranking score puts into the first places, over the most that any "
        "order could.",
        higher_is_better=True,
    ),
}

# Names in evaluation artifacts and reports that versions before 0.2.0 wrote.
_FORMER_NAMES = {
    "relative_cross_entropy": "normalized_entropy",
    "order_auc": "xauc",
    "pairwise_auc": "xauc",
}


def task_metrics(kind: TaskKind) -> dict[str, MetricDefinition]:
    """Return the metrics of a task of a kind, by name."""
    return {name: metric for name, metric in METRICS.items() if metric.kind == kind}


def moments_of(kind: TaskKind) -> tuple[Moment, ...]:
    """Return the moments that the metrics of a kind need, each once."""
    return tuple(
        dict.fromkeys(moment for metric in task_metrics(kind).values() for moment in metric.moments)
    )


def meaning_of(name: str) -> MetricDefinition:
    """Return the meaning of a metric; the label of an unknown one, such as NDCG@10, is its name."""
    if name in METRICS:
        return METRICS[name]
    unknown = MetricDefinition(label=name, meaning="", higher_is_better=None)
    return replace(METRICS.get(name.partition("@")[0], unknown), label=name)


def with_present_names(metrics: dict[str, Value]) -> dict[str, Value]:
    """Return values by metric in which metrics of older versions have their present names."""
    return {_FORMER_NAMES.get(name, name): value for name, value in metrics.items()}

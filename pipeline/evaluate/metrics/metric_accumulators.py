"""Sums over a task's examples by part of the jackknife, from which all of its metrics follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from feature_spec.tasks.label_rule import TaskKind
from pipeline.evaluate.metrics.jackknife import PARTS, whole_and_without_each
from pipeline.evaluate.metrics.metric_registry import (
    EPSILON,
    MetricTotals,
    moments_of,
    task_metrics,
)
from pipeline.evaluate.metrics.ranking_metrics import pairwise_aucs

# A binary task's scores are counted by log-odds, in steps of which none changes the odds by more
# than 0.2 %.
_STEPS_BY_LOG_ODDS = 512
_LARGEST_LOG_ODDS = 16.0
# A regression's labels and scores are cut to float32's sign, exponent and 7 bits of mantissa: this
# bounds the size of a histogram and tells small numbers apart as well as large ones.
_BITS_CUT = 16
_BITS_KEPT = 16
_CURVE_RANGES = 10
_PART_BITS = 5  # of PARTS
_GROUP_SHIFT = _PART_BITS + 2 * _BITS_KEPT


@dataclass(frozen=True)
class TaskSums:
    """Sums over some of a task's examples; the sums of two sets of examples can be added.

    Attributes:
        moments: sums of weights by part, then weighted sums of the M moments of the task's kind;
            (PARTS, 1 + M).
        histogram: the bins that hold examples, ascending; a bin is a part, a label and a score
            packed into one integer; (N,).
        weights: sums of weights by bin; (N,).
    """

    moments: np.ndarray
    histogram: np.ndarray
    weights: np.ndarray


def sums_of(kind: TaskKind, rows: np.ndarray) -> TaskSums:
    """Return the sums over examples.

    Args:
        kind: the kind of the task.
        rows: part, label, score and weight of each example; (N, 4).
    """
    return sums_by_group(kind, rows, np.zeros(len(rows), np.int64), 1)[0]


def sums_by_group(
    kind: TaskKind, rows: np.ndarray, groups: np.ndarray, count: int
) -> list[TaskSums]:
    """Return the sums over each of G groups of examples, all in one pass.

    Args:
        kind: the kind of the task.
        rows: part, label, score and weight of each example; (N, 4).
        groups: the group of each example, from 0; (N,).
        count: the number of groups, G, which may be empty; at most 2²⁶.
    """
    parts, labels, scores, weights = rows.T
    parts = groups.astype(np.int64) << _PART_BITS | parts.astype(np.int64)
    columns = [weights, *(weights * moment(labels, scores) for moment in moments_of(kind))]
    if kind == "binary":
        steps = log_odds_step(np.clip(scores, EPSILON, 1.0 - EPSILON))
        bins = np.concatenate(
            [_bin(parts, np.zeros_like(parts), steps), _bin(parts, np.ones_like(parts), steps)]
        )
        weights = np.concatenate([weights * (1.0 - labels), weights * labels])
    else:
        bins = _bin(parts, ordinal(labels), ordinal(scores))
    shape = count, 1 << _PART_BITS
    moments = np.stack(
        [np.bincount(parts, column, count << _PART_BITS).reshape(shape) for column in columns],
        axis=2,
    )[:, :PARTS]
    bins, weights = _summed(bins, weights)
    # A bin begins with its group.
    ends = np.searchsorted(bins, np.arange(count + 1) << _GROUP_SHIFT)
    return [
        TaskSums(
            moments[group],
            bins[first:end] - (group << _GROUP_SHIFT),
            weights[first:end],
        )
        for group, (first, end) in enumerate(pairwise(ends.tolist()))
    ]


def added(kind: TaskKind, sums: Iterable[TaskSums]) -> TaskSums:
    """Return the sums over the examples of all `sums`, which may be none."""
    return merged([sums_of(kind, np.zeros((0, 4))), *sums])


def merged(sums: Sequence[TaskSums]) -> TaskSums:
    """Return the sums over the examples of all `sums`, one at least, of a task."""
    return TaskSums(
        np.sum([one.moments for one in sums], axis=0),
        *_summed(
            np.concatenate([one.histogram for one in sums]),
            np.concatenate([one.weights for one in sums]),
        ),
    )


def metrics_of(kind: TaskKind, sums: TaskSums) -> dict[str, np.ndarray]:
    """Return the metrics of a task by name.

    Returns:
        The metric of all examples, then the metric without each of the P parts that have any
        examples; NaN where undefined; (1 + P,) each.
    """
    held = sums.moments[:, 0] > 0.0
    totals = whole_and_without_each(sums.moments, held)
    parts, labels, scores = _unpacked(sums.histogram)
    aucs = pairwise_aucs(labels, scores, sums.weights, parts, np.flatnonzero(held))
    # Scores that are not numbers have no order.
    aucs = np.where(np.isfinite(totals).all(axis=1), aucs, np.nan)
    found = MetricTotals(
        weight=totals[:, 0],
        moments=dict(zip(moments_of(kind), totals.T[1:], strict=True)),
        pairwise_auc=aucs,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        metrics = {
            name: metric.value(found)
            for name, metric in task_metrics(kind).items()
            if metric.value is not None
        }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in metrics.items()}


def calibration_curve(sums: TaskSums) -> np.ndarray:
    """Return up to ten ranges of a binary task's scores, each with about as many examples.

    Returns:
        Lowest score, sum of weights, of scores, and of labels by range, ascending; (R, 4). Scores
        are right to 0.1 % of their odds.
    """
    _, labels, steps = _unpacked(sums.histogram)
    found, places = np.unique(steps, return_inverse=True)
    scores = 1.0 / (1.0 + np.exp(_LARGEST_LOG_ODDS - found / _STEPS_BY_LOG_ODDS))
    weights, positives = (
        np.bincount(places, column, len(found)) for column in (sums.weights, sums.weights * labels)
    )
    if not found.size:
        return np.zeros((0, 4))
    middles = np.cumsum(weights) - weights / 2.0
    _, firsts = np.unique(
        (middles / weights.sum() * _CURVE_RANGES).astype(np.int64), return_index=True
    )
    columns = [np.add.reduceat(column, firsts) for column in (weights, weights * scores, positives)]
    return np.stack([scores[firsts], *columns], axis=1)


def log_odds_step(scores: np.ndarray) -> np.ndarray:
    """Return integers from 0 in the order of probabilities; almost equal odds may share one."""
    odds = np.clip(
        np.nan_to_num(np.log(scores / (1.0 - scores))), -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS
    )
    return np.rint((odds + _LARGEST_LOG_ODDS) * _STEPS_BY_LOG_ODDS).astype(np.int64)


def ordinal(numbers: np.ndarray) -> np.ndarray:
    """Return integers from 0 in the order of numbers; numbers within a hundredth may share one."""
    bits = np.asarray(numbers, np.float32).view(np.int32).astype(np.int64)
    size = (bits & 0x7FFFFFFF) >> _BITS_CUT
    return np.where(bits < 0, -size, size) + (1 << (_BITS_KEPT - 1))


def _bin(parts: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (((parts << _BITS_KEPT) | labels) << _BITS_KEPT) | scores


def _unpacked(bins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return part, label and score of each bin."""
    mask = (1 << _BITS_KEPT) - 1
    return bins >> (2 * _BITS_KEPT), (bins >> _BITS_KEPT) & mask, bins & mask


def _summed(bins: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each bin that has weight once, ascending, with its sum of weights."""
    bins, weights = bins[weights > 0.0], weights[weights > 0.0]
    found, places = np.unique(bins, return_inverse=True)
    return found, np.bincount(places, weights, len(found))

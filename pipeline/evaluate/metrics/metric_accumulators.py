"""What is summed of a task's examples, part by part: all of its metrics and their jackknife follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.evaluate.metrics.jackknife import PARTS, whole_and_without_each
from pipeline.evaluate.metrics.pairwise_auc import order_aucs

Kind = Literal["binary", "regression"]

# A binary task's scores are counted by log-odds, in steps of which none changes the odds by more
# than 0.2 %.
_STEPS_BY_LOG_ODDS = 512
_LARGEST_LOG_ODDS = 16.0
# A regression's labels and scores are cut to float32's sign, exponent and 7 bits of mantissa: what
# is held is bounded, and small numbers are told apart as well as large ones.
_BITS_CUT = 16
_BITS_KEPT = 16
_CURVE_RANGES = 10
# Keras' own, which keeps the loss of a certain mistake finite.
_EPSILON = 1e-7


@dataclass(frozen=True)
class TaskSums:
    """Of some of a task's examples; two of them add up to those of both.

    Attributes:
        moments: sums by part: weight, and of a binary task label, score and cross-entropy, of a
            regression squared and absolute error; (PARTS, 4) or (PARTS, 3).
        cells: numbers of the cells of part, label and score that have examples; (N,), ascending.
        weights: of the examples in each cell; (N,).
    """

    moments: np.ndarray
    cells: np.ndarray
    weights: np.ndarray


def sums_of(kind: Kind, rows: np.ndarray) -> TaskSums:
    """Of examples: (N, 4), part, label, score and weight of each."""
    parts, labels, scores, weights = rows.T
    parts = parts.astype(np.int64)
    if kind == "binary":
        likely = np.clip(scores, _EPSILON, 1.0 - _EPSILON)
        losses = -(labels * np.log(likely) + (1.0 - labels) * np.log(1.0 - likely))
        columns = [weights, weights * labels, weights * scores, weights * losses]
        places = log_odds_step(likely)
        cells = np.concatenate(
            [_cell(parts, np.zeros_like(parts), places), _cell(parts, np.ones_like(parts), places)]
        )
        weights = np.concatenate([weights * (1.0 - labels), weights * labels])
    else:
        errors = scores - labels
        columns = [weights, weights * errors**2, weights * np.abs(errors)]
        cells = _cell(parts, ordinal(labels), ordinal(scores))
    moments = np.stack([np.bincount(parts, column, PARTS) for column in columns], axis=1)
    return TaskSums(moments, *_summed(cells, weights))


def added(kind: Kind, sums: Iterable[TaskSums]) -> TaskSums:
    """The sums of all examples together; of no example where there are none."""
    all_sums = [sums_of(kind, np.zeros((0, 4))), *sums]
    return TaskSums(
        np.sum([one.moments for one in all_sums], axis=0),
        *_summed(
            np.concatenate([one.cells for one in all_sums]),
            np.concatenate([one.weights for one in all_sums]),
        ),
    )


def metrics_of(kind: Kind, sums: TaskSums) -> dict[str, np.ndarray]:
    """By name, each of all examples, then without each of the P parts that have any: (1 + P,); NaN where undefined."""
    held = sums.moments[:, 0] > 0.0
    totals = whole_and_without_each(sums.moments, held)
    weights = totals[:, 0]
    parts, labels, scores = _place(sums.cells)
    aucs = order_aucs(labels, scores, sums.weights, parts, np.flatnonzero(held))
    # What is no number has no order.
    aucs = np.where(np.isfinite(totals).all(axis=1), aucs, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "binary":
            rates, log_losses = totals[:, 1] / weights, totals[:, 3] / weights
            base = -(rates * np.log(rates) + (1.0 - rates) * np.log(1.0 - rates))
            found = {
                "auc": aucs,
                "log_loss": log_losses,
                "relative_cross_entropy": log_losses / base,
                "calibration": totals[:, 2] / totals[:, 1],
            }
        else:
            found = {
                "mse": totals[:, 1] / weights,
                "mae": totals[:, 2] / weights,
                "order_auc": aucs,
            }
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def calibration_curve(sums: TaskSums) -> np.ndarray:
    """Up to ten ranges of a binary task's scores, ascending, each with about as many examples.

    Returns:
        (R, 4): lowest score, sum of weights, of scores, and of labels. Scores are right to 0.1 % of
        their odds.
    """
    _, labels, steps = _place(sums.cells)
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
    """Integers from 0 that order probabilities as they are ordered; those whose odds hardly differ may have the same."""
    odds = np.clip(
        np.nan_to_num(np.log(scores / (1.0 - scores))), -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS
    )
    return np.rint((odds + _LARGEST_LOG_ODDS) * _STEPS_BY_LOG_ODDS).astype(np.int64)


def ordinal(numbers: np.ndarray) -> np.ndarray:
    """Integers from 0 that order numbers as they are ordered; those that differ by less than a hundredth may have the same."""
    bits = np.asarray(numbers, np.float32).view(np.int32).astype(np.int64)
    size = (bits & 0x7FFFFFFF) >> _BITS_CUT
    return np.where(bits < 0, -size, size) + (1 << (_BITS_KEPT - 1))


def _cell(parts: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (((parts << _BITS_KEPT) | labels) << _BITS_KEPT) | scores


def _place(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Part, label and score of each cell."""
    mask = (1 << _BITS_KEPT) - 1
    return cells >> (2 * _BITS_KEPT), (cells >> _BITS_KEPT) & mask, cells & mask


def _summed(cells: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each cell once, ascending, with the sum of its weights; without those that weigh nothing."""
    cells, weights = cells[weights > 0.0], weights[weights > 0.0]
    found, places = np.unique(cells, return_inverse=True)
    return found, np.bincount(places, weights, len(found))

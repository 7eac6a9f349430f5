"""Pairwise AUC (= concordance) of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pairwise_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted share of rightly ordered pairs (= concordance); equal scores count half.

    Args:
        labels: numbers whose order counts; (N,).
        scores: numbers whose order counts; (N,).
        weights: weights of the examples; a pair weighs their product; (N,).

    Returns:
        A number in [0, 1]; NaN where all labels are alike.
    """
    if not labels.size or labels.min() == labels.max():
        return float("nan")
    return float(pairwise_aucs(labels, scores, weights, np.zeros_like(labels), [])[0])


def pairwise_aucs(
    labels: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    parts: np.ndarray,
    left_out: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """Return the pairwise AUC of all examples, then without each of P parts.

    Args:
        labels: numbers whose order counts; (N,).
        scores: numbers whose order counts; (N,).
        weights: weights of the examples; (N,).
        parts: the part of each example; (N,).
        left_out: the parts to leave out, one after the other; (P,).

    Returns:
        (1 + P,).
    """
    label_values, label_places = np.unique(labels, return_inverse=True)
    score_values, score_places = np.unique(scores, return_inverse=True)
    shape = len(label_values), len(score_values)
    cells = label_places * shape[1] + score_places

    def of(kept: np.ndarray) -> float:
        return _of_table(
            np.bincount(cells[kept], weights[kept], shape[0] * shape[1]).reshape(shape)
        )

    return np.array([of(np.ones(len(cells), bool)), *(of(parts != part) for part in left_out)])


def _of_table(weights: np.ndarray) -> float:
    """Return the pairwise AUC from weights by label and score, both ascending: (L, S)."""
    with_smaller_label = np.cumsum(weights, axis=0) - weights
    and_smaller_score = np.cumsum(with_smaller_label, axis=1) - with_smaller_label / 2.0
    pairs = float((weights.sum(axis=1) * with_smaller_label.sum(axis=1)).sum())
    return float((weights * and_smaller_score).sum()) / pairs if pairs else float("nan")

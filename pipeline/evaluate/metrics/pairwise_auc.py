"""Order AUC: the share of pairs of examples with different labels that the scores order rightly.

With the two labels of a binary task it is the AUC.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def order_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The share of rightly ordered pairs by weight, equal scores counting half; NaN where labels are all alike.

    Args:
        labels: (N,), numbers that order them.
        scores: (N,), likewise.
        weights: (N,).
    """
    if not labels.size or labels.min() == labels.max():
        return float("nan")
    return float(order_aucs(labels, scores, weights, np.zeros_like(labels), [])[0])


def order_aucs(
    labels: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    parts: np.ndarray,
    left_out: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """That of all, then that without each of P parts: (1 + P,).

    Args:
        labels: (N,), numbers that order them.
        scores: (N,), likewise.
        weights: (N,).
        parts: (N,), the part of each.
        left_out: (P,), parts to leave out, one after the other.
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
    """Of weights by label and score, both ascending: (L, S)."""
    with_smaller_label = np.cumsum(weights, axis=0) - weights
    and_smaller_score = np.cumsum(with_smaller_label, axis=1) - with_smaller_label / 2.0
    pairs = float((weights.sum(axis=1) * with_smaller_label.sum(axis=1)).sum())
    return float((weights * and_smaller_score).sum()) / pairs if pairs else float("nan")

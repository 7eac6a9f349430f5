"""NDCG@k of one list."""

from __future__ import annotations

import numpy as np


def ndcg_at(k: int, gains: np.ndarray, scores: np.ndarray) -> float:
    """Discounted gain of the first k by score, over that of the best order; NaN where nothing has a gain.

    Examples with equal scores share their places' discounts evenly, so that their order does not
    matter.

    Args:
        k: places that count.
        gains: (N,), at least 0.
        scores: (N,).
    """
    discounts = 1.0 / np.log2(np.arange(2, len(gains) + 2))
    discounts[k:] = 0.0
    best = float(np.sort(gains)[::-1] @ discounts)
    if best <= 0.0:
        return float("nan")
    _, ranks, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    shared = np.add.reduceat(discounts, np.cumsum(counts) - counts) / counts
    return float(gains @ shared[ranks]) / best

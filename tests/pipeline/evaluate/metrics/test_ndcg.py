"""NDCG@k of one list."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluate.metrics.ndcg import ndcg_at


def test_it_is_worked_by_hand() -> None:
    # Ranked by score, gains are 1, 0, 3; the best order is 3, 1, 0. The second place counts 1 /
    # log2 3 = .63093, and no third.
    assert ndcg_at(2, np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.9, 0.1])) == pytest.approx(
        1.0 / (3.0 + 0.63093), abs=1e-5
    )


def test_equal_scores_share_their_places() -> None:
    # The gains 1 and 0 are in the places that count 1 and .63093, in either order: (1 + .63093) /
    # 2.
    assert ndcg_at(2, np.array([0.0, 1.0]), np.array([0.5, 0.5])) == pytest.approx(
        0.815465, abs=1e-5
    )


@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_it_is_scikit_learns(k: int) -> None:
    from sklearn.metrics import ndcg_score

    random = np.random.default_rng(k)
    for _ in range(20):
        gains, scores = (
            random.integers(0, 4, 20).astype(float),
            random.integers(0, 12, 20).astype(float),
        )
        assert ndcg_at(k, gains, scores) == pytest.approx(ndcg_score([gains], [scores], k=k))


def test_a_list_without_gains_has_none() -> None:
    assert math.isnan(ndcg_at(3, np.zeros(2), np.ones(2)))

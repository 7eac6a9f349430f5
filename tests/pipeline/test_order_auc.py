"""The share of pairs that a regression orders rightly."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.tensorflow


def test_pairs_are_counted_by_hand() -> None:
    from pipeline.order_auc import order_auc

    # Labels 1, 2, 2, 3 with scores 5, 5, 9, 7. Pairs of different labels: 1-2 (equal scores: half), 1-2, 1-3, 2-3, and 2-3 with
    # the scores the wrong way round: 3.5 of 5.
    assert order_auc({(1, 5): 1.0, (2, 5): 1.0, (2, 9): 1.0, (3, 7): 1.0}) == pytest.approx(3.5 / 5)


def test_it_is_the_auc_where_there_are_two_labels() -> None:
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from pipeline.order_auc import order_auc

    random = np.random.default_rng(1)
    labels, scores = random.integers(0, 2, 300), random.integers(0, 40, 300)
    weights: dict[tuple[int, int], float] = {}
    for place in zip(labels.tolist(), scores.tolist(), strict=True):
        weights[place] = weights.get(place, 0.0) + 1.0
    assert order_auc(weights) == pytest.approx(roc_auc_score(labels, scores))


def test_labels_that_are_all_alike_have_none() -> None:
    from pipeline.order_auc import order_auc

    assert math.isnan(order_auc({(1, 5): 2.0, (1, 6): 1.0}))
    assert math.isnan(order_auc({}))


def test_numbers_are_told_apart_to_a_hundredth_of_their_size() -> None:
    from pipeline.order_auc import ordinal

    numbers = [-300.0, -2.0, -0.5, -1e-6, 0.0, 1e-6, 0.010, 0.0102, 1.0, 1.02, 300.0, 306.0]
    assert [ordinal(number) for number in numbers] == sorted({ordinal(number) for number in numbers})
    assert ordinal(1.0) == ordinal(1.001)

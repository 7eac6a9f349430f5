"""Pairwise AUC, by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluate.metrics.ranking_metrics import pairwise_auc, pairwise_aucs

ONES = np.ones(4)


def test_pairs_are_counted_by_hand() -> None:
    # Labels 1, 2, 2, 3 with scores 5, 5, 9, 7. Pairs of different labels: 1-2 (equal scores: half),
    # 1-2, 1-3, 2-3, and 2-3 with the scores the wrong way round: 3.5 of 5.
    assert pairwise_auc(np.array([1, 2, 2, 3]), np.array([5, 5, 9, 7]), ONES) == pytest.approx(
        3.5 / 5
    )


def test_of_two_labels_it_is_scikit_learns_auc() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    labels, scores, weights = (
        random.integers(0, 2, 300),
        random.integers(0, 40, 300),
        random.random(300),
    )
    assert pairwise_auc(labels, scores, weights) == pytest.approx(
        roc_auc_score(labels, scores, sample_weight=weights)
    )


def test_labels_that_are_all_alike_have_none() -> None:
    assert math.isnan(pairwise_auc(np.ones(2), np.array([5, 6]), np.ones(2)))
    assert math.isnan(pairwise_auc(np.zeros(0), np.zeros(0), np.zeros(0)))


def test_without_a_part_it_is_that_of_the_others() -> None:
    random = np.random.default_rng(2)
    labels, scores, parts = (
        random.integers(0, 5, 60),
        random.integers(0, 20, 60),
        random.integers(0, 3, 60),
    )
    expected = [
        pairwise_auc(labels[parts != part], scores[parts != part], np.ones((parts != part).sum()))
        for part in range(3)
    ]
    assert pairwise_aucs(labels, scores, np.ones(60), parts, range(3))[1:] == pytest.approx(
        expected
    )


def test_without_a_part_that_alone_has_a_label_there_is_none() -> None:
    # Weights that do not sum exactly: 0.1 + 0.2 - 0.3 is not 0.
    labels, parts = np.array([1, 0, 0, 0]), np.array([0, 1, 1, 1])
    whole, without = pairwise_aucs(
        labels, np.array([3, 1, 2, 4]), np.array([0.3, 0.1, 0.2, 0.7]), parts, [0]
    )
    assert whole == pytest.approx(0.3 / 1.0)
    assert math.isnan(without)

"""The AUC of one user's exposures."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def test_equal_scores_count_half() -> None:
    from pipeline.grouped_auc import auc_of

    # Positives score 3 and 1, negatives 1 and 0: pairs 3>1, 3>0, 1=1 (half), 1>0.
    assert auc_of(np.array([1.0, 1.0, 0.0, 0.0]), np.array([3.0, 1.0, 1.0, 0.0])) == 3.5 / 4


def test_it_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    from pipeline.grouped_auc import auc_of

    random = np.random.default_rng(2)
    labels, scores = random.integers(0, 2, 200), random.integers(0, 30, 200) / 30
    assert auc_of(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_that_are_all_alike_have_none(label: float) -> None:
    from pipeline.grouped_auc import auc_of

    assert math.isnan(auc_of(np.full(3, label), np.arange(3.0)))

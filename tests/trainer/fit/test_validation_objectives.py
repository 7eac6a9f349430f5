"""What a search is after."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow")
from trainer.fit.validation_objectives import mtl_gain_shares, weighted_sum

pytestmark = pytest.mark.tensorflow


def test_a_gain_is_a_share_of_the_error_alone_whatever_the_metric(tasks):
    shares = mtl_gain_shares(tasks, {"click": 0.8, "ratio": 0.09}, {"click": 0.75, "ratio": 0.1})
    # 1 − AUC falls from .25 to .20, a fifth of it; the squared error from .10 to .09, a tenth.
    assert shares == pytest.approx({"click": 0.2, "ratio": 0.1})


def test_a_task_that_loses_has_a_negative_share_that_no_other_makes_good(tasks):
    shares = mtl_gain_shares(tasks, {"click": 0.95, "ratio": 0.11}, {"click": 0.75, "ratio": 0.1})
    assert min(shares.values()) == pytest.approx(-0.1)


def test_a_weighted_sum_counts_what_is_better_lower_with_a_minus(tasks):
    # 2 · .8 − 3 · .1
    assert weighted_sum(
        tasks, {"click": 0.8, "ratio": 0.1}, {"click": 2.0, "ratio": 3.0}
    ) == pytest.approx(1.3)


def test_a_task_without_a_weight_does_not_count(tasks):
    assert weighted_sum(tasks, {"click": 0.8, "ratio": 0.1}, {"click": 2.0}) == pytest.approx(1.6)

"""What a search is after."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("tensorflow")
from trainer.fit.validation_objectives import (
    Measured,
    mtl_gain_shares,
    voters,
    weighed_change,
    weighted_sum,
)

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


def measured(click, ratio, *, evidence=(100, 100), errors=(0.01, 0.02)):
    return {
        "click": Measured(click, errors[0], evidence[0]),
        "ratio": Measured(ratio, errors[1], evidence[1]),
    }


def test_a_change_counts_in_standard_errors_and_in_each_metrics_own_direction(tasks):
    # Errors: 1 − AUC falls by .02, two standard errors; MSE by .01, half of one: (−2 − .5) / 2.
    change = weighed_change(tasks, measured(0.7, 0.1), {"click": 0.72, "ratio": 0.09})
    assert change == pytest.approx(-1.25)
    # A better AUC that costs as much of the other task's noise is no progress.
    assert weighed_change(tasks, measured(0.7, 0.1), {"click": 0.71, "ratio": 0.12}) == (
        pytest.approx(0.0)
    )


def test_a_loss_weight_says_how_much_a_task_counts(tasks):
    heavy = {**tasks, "click": tasks["click"].model_copy(update={"loss_weight": 3.0})}
    # (3 · −2 + 1 · .5) / 4
    change = weighed_change(heavy, measured(0.7, 0.1), {"click": 0.72, "ratio": 0.11})
    assert change == pytest.approx(-1.375)


def test_a_noisy_task_does_not_decide(tasks):
    # Its metric moves most, by half of its standard error.
    first = measured(0.7, 0.1, errors=(0.1, 0.002))
    assert weighed_change(tasks, first, {"click": 0.65, "ratio": 0.098}) < 0.0


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (measured(0.7, 0.1), ["click", "ratio"]),
        (measured(0.7, 0.1, evidence=(9, 100)), ["ratio"]),
        (measured(0.7, 0.1, evidence=(10, 10)), ["click", "ratio"]),
        (measured(math.nan, 0.1, errors=(math.nan, 0.1)), ["ratio"]),
        (measured(0.7, 0.1, evidence=(0, 9)), []),
    ],
)
def test_tasks_with_fewer_than_ten_rows_of_the_rarer_label_do_not_vote(tasks, first, expected):
    assert voters(tasks, first) == expected


def test_a_metric_that_cannot_be_computed_is_shown_as_a_dash():
    assert str(Measured(math.nan, math.nan, 0)) == "–"
    assert str(Measured(0.51234, 0.1, 20)) == "0.5123"

"""Uncertainty weighting, worked by hand."""

from __future__ import annotations

import math

import pytest

tf = pytest.importorskip("tensorflow")
from trainer.loss.balancing import UncertaintyWeighting  # noqa: E402

pytestmark = pytest.mark.tensorflow


def terms_and_gradient(log_variances, losses, presence=(1.0, 1.0)):
    balancing = UncertaintyWeighting([False, True])
    balancing.log_variances.assign(log_variances)
    with tf.GradientTape() as tape:
        terms = balancing.weigh([tf.constant(loss) for loss in losses], tf.constant(presence))
        total = tf.add_n(terms)
    return [float(term) for term in terms], tape.gradient(
        total, balancing.log_variances
    ).numpy().tolist()


def test_a_loss_is_divided_by_the_variance_and_a_regression_by_twice_that():
    # σ² = 4: .8 / 4 + log 2 for the binary task, 2 / (2 · 4) + log 2 for the regression.
    terms, _ = terms_and_gradient([math.log(4), math.log(4)], [0.8, 2.0])
    assert terms == pytest.approx([0.2 + math.log(2), 0.25 + math.log(2)])


def test_the_gradient_leads_to_the_variance_that_the_loss_has():
    # At s = 0: −.8 + ½ and −½ · 2 + ½.
    assert terms_and_gradient([0.0, 0.0], [0.8, 2.0])[1] == pytest.approx([-0.3, -0.5])
    # It vanishes at σ² = 2 · .8 for the binary task and σ² = 2 for the regression.
    assert terms_and_gradient([math.log(1.6), math.log(2)], [0.8, 2.0])[1] == pytest.approx(
        [0.0, 0.0], abs=1e-6
    )


def test_a_task_without_a_row_costs_nothing_and_keeps_its_variance():
    terms, gradient = terms_and_gradient([0.7, 0.7], [0.8, 0.0], presence=(1.0, 0.0))
    assert terms[1] == 0.0
    assert gradient[1] == 0.0


def test_two_replicas_parts_sum_to_the_whole():
    whole, _ = terms_and_gradient([0.3, 0.7], [0.8, 2.0])
    one, _ = terms_and_gradient([0.3, 0.7], [0.6, 0.5], presence=(0.5, 0.5))
    other, _ = terms_and_gradient([0.3, 0.7], [0.2, 1.5], presence=(0.5, 0.5))
    assert [a + b for a, b in zip(one, other, strict=True)] == pytest.approx(whole)

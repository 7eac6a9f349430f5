"""GradNorm, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.loss.gradient_balancing import GradNorm  # noqa: E402

pytestmark = pytest.mark.tensorflow

ONES = [1.0, 1.0]


def step(balancing, norms, losses, sizes=(4.0, 4.0), omega=ONES):
    """A step in which ω_k w_k L_k has a gradient of this length."""
    products = tf.linalg.diag(tf.square(tf.constant(norms, tf.float32)))
    factors = balancing.factors(
        products, tf.constant(losses), tf.constant(sizes), tf.constant(omega)
    )
    assert factors.numpy().tolist() == ONES
    return balancing.weights.numpy().tolist()


def test_weights_draw_gradients_to_one_length():
    # G = 3 and 1, r = 1: both are drawn to 2. Adam's first step is .025 against the sign of the
    # gradient, and .975 + 1.025 = 2.
    assert step(GradNorm(2, alpha=1.5), [3.0, 1.0], [1.0, 1.0]) == pytest.approx(
        [0.975, 1.025], rel=1e-5
    )


def test_a_task_that_lags_behind_is_pulled():
    balancing = GradNorm(2, alpha=1.0)
    # G is 1 for both, so the first step changes nothing: target 1 · 1.
    assert step(balancing, [1.0, 1.0], [1.0, 2.0]) == pytest.approx(ONES)
    # Task 2's loss halved: ratios 1 and ½, r = 4/3 and 2/3, targets 4/3 and 2/3: task 1 gains, task
    # 2 loses.
    first, second = step(balancing, [1.0, 1.0], [1.0, 1.0])
    assert first > 1.0 > second
    assert first + second == pytest.approx(2.0)


def test_alpha_0_asks_for_equal_lengths_only():
    balancing = GradNorm(2, alpha=0.0)
    step(balancing, [1.0, 1.0], [1.0, 2.0])
    assert step(balancing, [1.0, 1.0], [1.0, 1.0]) == pytest.approx(ONES)


def test_the_spec_s_weights_are_not_balanced_away():
    # Lengths of 4 and 1 under ω = 4 and 1 are 1 and 1 without.
    assert step(GradNorm(2, alpha=1.5), [4.0, 1.0], [1.0, 1.0], omega=[4.0, 1.0]) == pytest.approx(
        ONES
    )


def test_weights_sum_to_the_number_of_tasks_and_stay_positive():
    random = np.random.default_rng(0)
    balancing = GradNorm(2, alpha=1.5)
    for _ in range(100):
        weights = step(balancing, [50.0, 0.1], random.uniform(0.1, 2, 2).astype("f4"))
        assert sum(weights) == pytest.approx(2.0, rel=1e-5)
        assert min(weights) > 0.0
    assert weights[0] < 0.1


def test_a_task_without_a_row_pulls_at_no_weight_and_starts_later():
    balancing = GradNorm(2, alpha=1.5)
    assert step(balancing, [3.0, 0.0], [1.0, 0.0], sizes=(4.0, 0.0)) == pytest.approx(ONES)
    assert balancing.first_losses.numpy().tolist() == [1.0, 0.0]
    assert step(balancing, [1.0, 1.0], [1.0, 7.0]) == pytest.approx(ONES)
    assert balancing.first_losses.numpy().tolist() == [1.0, 7.0]


def test_a_batch_without_any_row_gives_no_nan():
    balancing = GradNorm(2, alpha=1.5)
    assert step(balancing, [0.0, 0.0], [0.0, 0.0], sizes=(0.0, 0.0)) == pytest.approx(ONES)


def test_a_task_s_loss_is_multiplied_by_its_weight():
    balancing = GradNorm(2, alpha=1.5)
    balancing.weights.assign([0.5, 1.5])
    weighed = balancing.weigh([tf.constant(3.0), tf.constant(5.0)], tf.ones(2))
    assert [float(w) for w in weighed] == [1.5, 7.5]

"""FAMO and the smooth Tchebycheff scalarisation, worked by hand and by second implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")
from trainer.loss.log_balancing import FAMO, SmoothTchebycheff  # noqa: E402

pytestmark = pytest.mark.tensorflow

TWO = [True, True]
ROWS = tf.constant([4.0, 4.0])


def famo(decay=0.0, tasks=2):
    return FAMO([True] * tasks, decay)


def weights(balancing):
    return balancing.task_weights().numpy().tolist()


def z(balancing):
    return tf.nn.softmax(balancing.logits).numpy()


def test_before_the_first_step_all_tasks_weigh_the_same():
    assert weights(famo()) == [1.0, 1.0]
    assert weights(SmoothTchebycheff(TWO, 0.1)) == [1.0, 1.0]


def test_a_loss_is_divided_by_its_mean_and_the_weights_sum_to_the_number_of_tasks():
    # 1 / .5 and 1 / 2 are 4 to 1, of a sum of 2: 1.6 and .4.
    for balancing in (famo(), SmoothTchebycheff(TWO, 0.1)):
        balancing.observe(tf.constant([0.5, 2.0]), ROWS)
        assert weights(balancing) == pytest.approx([1.6, 0.4])
        weighed = balancing.weigh([tf.constant(3.0), tf.constant(5.0)], tf.ones(2))
        assert [float(term) for term in weighed] == pytest.approx([4.8, 2.0])


def test_a_running_mean_forgets_a_hundredth_with_each_batch_that_has_a_row():
    balancing = famo()
    balancing.observe(tf.constant([1.0, 3.0]), tf.constant([2.0, 4.0]))
    balancing.observe(tf.constant([2.0, 0.0]), tf.constant([4.0, 0.0]))
    # (.99 · 1 · 2 + 2 · 4) / (.99 · 2 + 4), and task 2 as before.
    assert balancing.means().numpy() == pytest.approx([9.98 / 5.98, 3.0])


def test_a_task_that_has_had_no_row_weighs_one():
    for balancing in (famo(tasks=3), SmoothTchebycheff([True] * 3, 0.1)):
        balancing.observe(tf.constant([0.5, 2.0, 0.0]), tf.constant([4.0, 4.0, 0.0]))
        balancing.end_epoch()
        assert weights(balancing) == pytest.approx([1.6, 0.4, 1.0])


def test_a_task_without_a_loss_weight_takes_no_part():
    for balancing in (FAMO([True, True, False], 0.0), SmoothTchebycheff([True, True, False], 0.1)):
        balancing.observe(tf.constant([0.5, 2.0, 50.0]), tf.constant([4.0, 4.0, 4.0]))
        balancing.end_epoch()
        balancing.observe_again(
            tf.constant([0.5, 2.0, 50.0]), tf.constant([0.5, 2.0, 1.0]), tf.constant([4.0] * 3)
        )
        assert weights(balancing) == pytest.approx([1.6, 0.4, 1.0])


def test_a_task_whose_loss_fell_faster_weighs_less_by_a_step_of_adam():
    balancing = famo()
    balancing.observe_again(tf.constant([1.0, 1.0]), tf.constant([0.5, 1.0]), ROWS)
    # δ = (log 2, 0), gradient ½ (δ − ½ log 2) = ±.1733: the first step of Adam is .025 against its
    # sign.
    first, second = balancing.logits.numpy()
    assert second - first == pytest.approx(0.05, abs=1e-5)


def test_w_decays_to_equal_weights():
    balancing = famo(decay=0.1)
    balancing.logits.assign([1.0, -1.0])
    balancing.observe_again(tf.constant([1.0, 1.0]), tf.constant([1.0, 1.0]), ROWS)
    first, second = balancing.logits.numpy()
    # Nothing fell. Each steps by .025 to 0, then both move so that the sum of exp(w) stays.
    assert first - second == pytest.approx(2.0 - 0.05, abs=1e-5)


def test_equal_relative_falls_move_nothing():
    balancing = famo()
    balancing.observe_again(tf.constant([8.0, 0.2]), tf.constant([4.0, 0.1]), ROWS)
    assert balancing.logits.numpy() == pytest.approx([0.0, 0.0], abs=1e-6)


def second_famo(steps, decay, tasks):
    """FAMO's w by its equations with NumPy and a Jacobian that is written out, for all tasks present."""
    w, m, v = np.zeros(tasks), np.zeros(tasks), np.zeros(tasks)
    for t, (before, after) in enumerate(steps, start=1):
        share = np.exp(w) / np.exp(w).sum()
        jacobian = np.diag(share) - np.outer(share, share)
        gradient = jacobian.T @ np.log((before + 1e-8) / (after + 1e-8)) + decay * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w = w - 0.025 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return np.exp(w) / np.exp(w).sum()


def test_many_steps_equal_a_second_implementation():
    random = np.random.default_rng(0)
    steps = [(random.uniform(0.1, 2, 3), random.uniform(0.1, 2, 3)) for _ in range(60)]
    balancing = famo(decay=0.0, tasks=3)
    for before, after in steps:
        balancing.observe_again(
            tf.constant(before, tf.float32), tf.constant(after, tf.float32), tf.constant([4.0] * 3)
        )
    assert z(balancing) == pytest.approx(second_famo(steps, 0.0, 3), abs=1e-4)
    assert z(balancing) != pytest.approx([1 / 3] * 3, abs=1e-2)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(1e-3, 10), min_size=4, max_size=4),
            st.lists(st.booleans(), min_size=4, max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_task_without_a_row_keeps_its_z_and_z_sums_to_one(steps):
    balancing = famo(decay=0.01, tasks=4)
    for losses, present in steps:
        before = z(balancing)
        sizes = np.array(present, "f4")
        balancing.observe_again(
            tf.constant(sizes), tf.constant(sizes * np.array(losses, "f4")), tf.constant(sizes)
        )
        assert z(balancing).sum() == pytest.approx(1.0, rel=1e-5)
        assert z(balancing)[sizes == 0] == pytest.approx(before[sizes == 0], rel=1e-4)


def after_an_epoch(losses, then, smoothness):
    balancing = SmoothTchebycheff([True] * len(losses), smoothness)
    balancing.observe(tf.constant(losses), tf.ones(len(losses)))
    balancing.end_epoch()
    # So many rows that the mean of the warm-up no longer counts.
    balancing.observe(tf.constant(then), 1e9 * tf.ones(len(losses)))
    return balancing


def test_the_task_that_is_worst_beside_its_nadir_weighs_most():
    # ℓ = log(.5 / 1) and log(2 / 2): shares of softmax(ℓ / .5) are (½)² to 1, and divided by the
    # losses ¼ / ½ to 1 / 2: equal weights.
    assert weights(after_an_epoch([1.0, 2.0], [0.5, 2.0], 0.5)) == pytest.approx([1.0, 1.0])
    # With μ = .1 they are (½)^10 / ½ to ½.
    one, other = 2.0**-9, 0.5
    assert weights(after_an_epoch([1.0, 2.0], [0.5, 2.0], 0.1)) == pytest.approx(
        [2 * one / (one + other), 2 * other / (one + other)]
    )


def test_the_weights_are_the_direction_of_the_gradient_of_the_objective():
    random = np.random.default_rng(1)
    nadirs, losses = random.uniform(0.1, 2, 3), random.uniform(0.1, 2, 3)
    mu, gap = 0.3, 1e-6

    def objective(values):
        return 3 * mu * math.log(np.exp(np.log(values / nadirs) / mu).sum())

    gradient = np.array(
        [
            (objective(losses + gap * row) - objective(losses - gap * row)) / (2 * gap)
            for row in np.eye(3)
        ]
    )
    received = weights(after_an_epoch(nadirs.astype("f4"), losses.astype("f4"), mu))
    assert received == pytest.approx(3 * gradient / gradient.sum(), rel=1e-3)


def test_a_small_smoothness_leaves_the_worst_task_alone_and_a_large_one_all_the_same_say():
    alone = weights(after_an_epoch([1.0, 1.0], [0.9, 1.0], 1e-3))
    assert alone == pytest.approx([0.0, 2.0], abs=1e-6)
    alike = weights(after_an_epoch([1.0, 1.0], [0.5, 1.0], 1e3))
    assert alike == pytest.approx([4 / 3, 2 / 3], rel=1e-2)


def test_the_nadir_is_the_mean_over_the_rows_of_the_first_epoch():
    balancing = SmoothTchebycheff(TWO, 1.0)
    balancing.observe(tf.constant([1.0, 5.0]), tf.constant([3.0, 1.0]))
    balancing.observe(tf.constant([2.0, 0.0]), tf.constant([1.0, 0.0]))
    balancing.end_epoch()
    assert balancing.nadirs.numpy() == pytest.approx([5 / 4, 5.0])
    balancing.observe(tf.constant([0.1, 0.1]), ROWS)
    balancing.end_epoch()
    assert balancing.nadirs.numpy() == pytest.approx([5 / 4, 5.0])


def test_a_batch_without_a_positive_counts_no_more_than_another():
    # A task of two batches, with losses −log(1 − p) and −log(p): what a constant p is drawn to is
    # the share of positives, ½. Divided by the batch's own loss it would be drawn elsewhere where
    # the losses differ: at p = .2 by (−1 / .8) / .223 + (1 / .2) / 1.609 = −2.5 against 3.75.
    balancing = famo()
    p = 0.2
    losses = [-math.log(1 - p), -math.log(p)]
    for _ in range(300):
        for loss in losses:
            balancing.observe(tf.constant([loss, 1.0]), ROWS)
    first, other = (
        float(balancing.weigh([tf.constant(1.0), tf.constant(1.0)], tf.ones(2))[0]) for _ in losses
    )
    assert first == other
    assert 1 / float(balancing.means()[0]) == pytest.approx(2 / sum(losses), rel=0.01)

"""PCGrad, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.loss.gradient_balancing import PCGrad  # noqa: E402

pytestmark = pytest.mark.tensorflow


def combined(gradients, shared, tasks=None):
    """Each variable's gradient from those by task and variable."""
    ones = tf.ones(tasks or len(gradients))
    return PCGrad(seed=0).combine(gradients, shared, ones, ones, ones)


def test_conflicting_gradients_lose_what_conflicts():
    # g1 = (1, 0), g2 = (−1, 1), product −1. g1' = g1 + ½ g2 = (.5, .5); g2' = g2 + 1 · g1 = (0, 1).
    (total,) = combined([[tf.constant([1.0, 0.0])], [tf.constant([-1.0, 1.0])]], [True])
    assert total.numpy() == pytest.approx([0.5, 1.5])


def test_gradients_that_agree_are_summed():
    (total,) = combined([[tf.constant([1.0, 0.0])], [tf.constant([1.0, 1.0])]], [True])
    assert total.numpy() == pytest.approx([2.0, 1.0])


def test_a_projected_gradient_conflicts_with_the_other_no_more():
    random = np.random.default_rng(0)
    conflicts = 0
    for _ in range(50):
        g = random.normal(size=(2, 5)).astype("f4")
        conflicts += g[0] @ g[1] < 0
        projected = PCGrad(seed=0).projections(tf.constant(g @ g.T)).numpy() @ g
        assert projected[0] @ g[1] > -1e-5
        assert projected[1] @ g[0] > -1e-5
    assert conflicts > 10


def test_three_tasks_are_projected_one_after_the_other():
    random = np.random.default_rng(1)
    for seed in range(20):
        g = random.normal(size=(3, 4)).astype("f4")
        balancing = PCGrad(seed)
        order = tf.random.experimental.stateless_shuffle(tf.range(3), seed=[seed, 0]).numpy()
        expected = []
        for i in range(3):
            v = g[i].copy()
            for j in order:
                if j != i and v @ g[j] < 0:
                    v -= (v @ g[j]) / (g[j] @ g[j]) * g[j]
            expected.append(v)
        np.testing.assert_allclose(
            balancing.projections(tf.constant(g @ g.T)).numpy() @ g, expected, atol=1e-5
        )


def test_the_order_changes_with_the_steps():
    g = np.array([[1.0, 0.2, 0.0], [-1.0, 1.0, 0.3], [-0.5, -1.0, 1.0]], "f4")
    balancing = PCGrad(seed=0)
    products = tf.constant(g @ g.T)
    seen = {
        tuple(np.round(balancing.factors(products, *[tf.ones(3)] * 3).numpy(), 5))
        for _ in range(30)
    }
    assert len(seen) > 1


def test_a_task_s_own_weights_take_its_gradient_as_it_is():
    # As in the first example, with a tower for each task.
    zero, one = tf.constant([0.0]), tf.constant([1.0])
    _, first, second = combined(
        [[tf.constant([1.0, 0.0]), one, zero], [tf.constant([-1.0, 1.0]), zero, one]],
        [True, False, False],
    )
    assert (float(first[0]), float(second[0])) == (1.0, 1.0)


def test_a_penalty_is_neither_projected_nor_projected_upon():
    # It opposes both: the first example's sum (.5, 1.5) plus (−3, −3).
    gradients = [[tf.constant(g)] for g in ([1.0, 0.0], [-1.0, 1.0], [-3.0, -3.0])]
    (total,) = combined(gradients, [True], tasks=2)
    assert total.numpy() == pytest.approx([-2.5, -1.5])


def test_rows_of_a_table_count_in_one_piece_and_stay_sparse():
    # Row 7 occurs twice: task 1 has .25 + .75 = 1 in column 1 there, task 2 −1 and row 2 has 1 for
    # task 2 only: the first example with its two coordinates in two rows.
    one = tf.IndexedSlices(tf.constant([[0.25], [0.75], [0.0]]), tf.constant([7, 7, 2]))
    two = tf.IndexedSlices(tf.constant([[-0.5], [-0.5], [1.0]]), tf.constant([7, 7, 2]))
    (total,) = combined([[one], [two]], [True])
    assert dict(
        zip(total.indices.numpy().tolist(), total.values.numpy()[:, 0].tolist(), strict=True)
    ) == pytest.approx({7: 0.5, 2: 1.5})


def test_a_task_without_a_row_changes_nothing():
    (total,) = combined([[tf.constant([1.0, 0.0])], [tf.zeros(2)]], [True])
    assert total.numpy() == pytest.approx([1.0, 0.0])

"""Adagrad for tables, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.fit.optimizers import TableAdagrad  # noqa: E402

pytestmark = pytest.mark.tensorflow


def changed(gradients, rows, *, shape=(2, 1), steps=1):
    """A table of ones after steps with these gradients; `shape` is what the graph knows of theirs."""
    table, optimizer = (
        tf.Variable(tf.ones([4, 1])),
        TableAdagrad(0.5, batch_size=1, initial_accumulator_value=1.0),
    )

    @tf.function(input_signature=[tf.TensorSpec(shape), tf.TensorSpec(shape[:1], tf.int64)])
    def step(values, indices):
        optimizer.apply_gradients([(tf.IndexedSlices(values, indices, [4, 1]), table)])

    for _ in range(steps):
        step(tf.constant(gradients), tf.constant(rows, tf.int64))
    return table.numpy().ravel()


def test_only_rows_that_were_read_change():
    # Row 3: 1 − ½ · 2 / √(1 + 4); row 0 the same with −2.
    move = 0.5 * 2.0 / math.sqrt(5.0)
    np.testing.assert_allclose(
        changed([[2.0], [-2.0]], [3, 0]), [1.0 + move, 1.0, 1.0, 1.0 - move], rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(2, 1), (None, 1)])
def test_a_row_read_twice_takes_the_sum_of_its_gradients_once(shape):
    # 1 + 2 = 3: 1 − ½ · 3 / √(1 + 9), whether or not the number of rows is known beforehand.
    np.testing.assert_allclose(
        changed([[1.0], [2.0]], [2, 2], shape=shape)[2], 1.0 - 1.5 / math.sqrt(10.0), rtol=1e-6
    )


def test_squares_add_up_over_steps():
    # First step: − ½ · 1 / √2 on both rows; second: − ½ · 1 / √3.
    moved = 1.0 - 0.5 / math.sqrt(2.0) - 0.5 / math.sqrt(3.0)
    np.testing.assert_allclose(
        changed([[1.0], [1.0]], [0, 1], steps=2)[:2], [moved, moved], rtol=1e-6
    )


@pytest.mark.parametrize("batch_size", [1, 16, 256, 65536])
def test_the_batch_size_does_not_matter(batch_size):
    # A row of one example in each of two batches: its gradients .3 and .4 are shares of means.
    # Accumulators .04 + .3² = .13, then .13 + .4² = .29.
    optimizer = TableAdagrad(0.5, batch_size=batch_size, initial_accumulator_value=0.04)
    table = tf.Variable([[1.0], [1.0]])
    for gradient in (0.3, 0.4):
        share = tf.IndexedSlices(tf.constant([[gradient / batch_size]]), [0], [2, 1])
        optimizer.apply_gradients([(share, table)])
    expected = 1.0 - 0.5 * (0.3 / math.sqrt(0.13) + 0.4 / math.sqrt(0.29))
    np.testing.assert_allclose(table.numpy().ravel(), [expected, 1.0], rtol=1e-6)
    # A later training goes on with the accumulators, whatever its batch size.
    np.testing.assert_allclose(optimizer.get_slot(table, "accumulator")[0], [0.29], rtol=1e-5)

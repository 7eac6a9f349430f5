"""Crosses, against numbers worked by hand and a second implementation."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.fields.crosses import CrossNetwork  # noqa: E402
from trainer.layers.flat_input import FlatInput  # noqa: E402

pytestmark = pytest.mark.tensorflow

RANKS = pytest.mark.parametrize("rank", [None, 1, 3])


def with_random_weights(layers, rank, x, seed=0):
    random = np.random.default_rng(seed)
    cross = CrossNetwork(layers, rank)
    cross(x)
    for weight in cross.weights:
        weight.assign(0.5 * random.normal(size=weight.shape))
    return cross


def test_a_column_is_multiplied_by_a_combination_of_all_columns():
    cross = CrossNetwork(1)
    x = tf.constant([[2.0, 3.0]])
    cross(x)
    cross.kernels[0][0].assign([[0.0, 1.0], [10.0, 0.0]])
    cross.biases[0].assign([0.5, 0.0])
    # x W = (30, 2); plus the bias (30.5, 2); times x_0 (61, 6); plus x (63, 9).
    np.testing.assert_allclose(cross(x), [[63.0, 9.0]])
    # Column 0 is multiplied by 10 times column 1, and column 1 by column 0.
    np.testing.assert_allclose(cross.matrices()[0], [[0.0, 10.0], [1.0, 0.0]])


@RANKS
def test_layers_compute_the_equation_of_the_paper(rank):
    x = np.random.default_rng(1).normal(size=(7, 5)).astype("f4")
    cross = with_random_weights(3, rank, tf.constant(x))
    expected = x.astype(np.float64)
    for row, out in zip(x, cross(tf.constant(x)).numpy(), strict=True):
        expected = row.astype(np.float64)
        for w, b in zip(cross.matrices(), cross.biases, strict=True):
            expected = row * (w @ expected + b.numpy()) + expected
        np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


@RANKS
def test_the_split_input_gives_what_the_whole_input_gives(rank):
    random = np.random.default_rng(2)
    user, items = random.normal(size=(1, 3)).astype("f4"), random.normal(size=(6, 2)).astype("f4")
    whole = tf.constant(np.concatenate([np.repeat(user, 6, axis=0), items], axis=1))
    cross = with_random_weights(2, rank, whole)
    split = cross(FlatInput(tf.constant(user), tf.constant(items)))
    np.testing.assert_allclose(split, cross(whole), rtol=1e-5, atol=1e-5)


def test_zero_weights_leave_the_input_as_it_is():
    x = tf.constant([[1.0, -2.0, 3.0]])
    cross = with_random_weights(2, 2, x)
    for weight in cross.weights:
        weight.assign(tf.zeros_like(weight))
    np.testing.assert_array_equal(cross(x), x)


def test_the_multiplications_of_a_request_and_of_a_candidate():
    cross = CrossNetwork(2, 3)
    cross(tf.ones([1, 10]))
    # 4 columns of the request by 3; then 2 layers of 10 · 3 + 3 · 10 + 10 = 70 each, less these 12.
    assert cross.multiplications(4) == (12, 128)
    whole = CrossNetwork(1)
    whole(tf.ones([1, 10]))
    # 4 · 10, and 10 · 10 + 10 less 40.
    assert whole.multiplications(4) == (40, 70)


def test_a_layer_is_made_again_from_its_configuration():
    x = tf.ones([2, 4])
    cross = with_random_weights(2, 3, x)
    again = CrossNetwork.from_config(cross.get_config())
    again(x)
    again.set_weights(cross.get_weights())
    np.testing.assert_array_equal(cross(x), again(x))


@pytest.mark.parametrize(("layers", "rank"), [(0, None), (1, 0)])
def test_sizes_below_one_are_refused(layers, rank):
    with pytest.raises(ValueError, match=rf"at least 1.*layers={layers}, rank={rank}"):
        CrossNetwork(layers, rank)

"""Experts: worked by hand, and different from each other from the start."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.experts import Experts  # noqa: E402

pytestmark = pytest.mark.tensorflow


def test_each_expert_is_a_relu_layer_of_its_own():
    layer = Experts(2, [1])
    layer.build(tf.TensorShape([None, 2]))
    # Expert 1: relu(1·x1 + 2·x2 + 1); expert 2: relu(−1·x1 + 0·x2 + 0). At x = (3, 4): 12 and 0.
    layer.set_weights([np.array([[1.0, -1.0], [2.0, 0.0]]), np.array([[1.0], [0.0]])])
    assert layer(tf.constant([[3.0, 4.0]])).numpy().tolist() == [[[12.0], [0.0]]]


def test_deeper_layers_stay_within_their_expert():
    layer = Experts(2, [1, 1])
    layer.build(tf.TensorShape([None, 1]))
    # Expert 1: x → 2x → 6x + 1. Expert 2: x → 5x → 5x.
    kernels = [
        np.array([[2.0, 5.0]]),
        np.array([[0.0], [0.0]]),
        np.array([[[3.0]], [[1.0]]]),
        np.array([[1.0], [0.0]]),
    ]
    for variable, value in zip(
        [layer.kernels[0], layer.biases[0], layer.kernels[1], layer.biases[1]], kernels, strict=True
    ):
        variable.assign(value)
    assert layer(tf.constant([[1.0]])).numpy().tolist() == [[[7.0], [5.0]]]


@pytest.mark.parametrize("seed", [0, 42, 1234])
def test_no_two_experts_begin_alike(seed):
    tf.keras.utils.set_random_seed(seed)
    layer = Experts(4, [8, 8])
    layer.build(tf.TensorShape([None, 6]))
    first = np.split(layer.kernels[0].numpy(), 4, axis=1)
    second = list(layer.kernels[1].numpy())
    for kernels in (first, second):
        for one, other in itertools.combinations(kernels, 2):
            assert not np.allclose(one, other)


def test_each_expert_starts_at_glorots_limit_of_its_own_size():
    layer = Experts(50, [10])
    layer.build(tf.TensorShape([None, 20]))
    # √(6 / (20 + 10)); the whole kernel of 500 columns would have √(6 / 520), a quarter of it.
    assert np.abs(layer.kernels[0].numpy()).max() == pytest.approx((6 / 30) ** 0.5, rel=0.01)


def test_dropout_is_on_in_training_only():
    layer = Experts(3, [32], dropout_rate=0.5)
    x = tf.ones([4, 5])
    assert np.array_equal(layer(x), layer(x, training=False))
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))


def test_a_batch_of_one_keeps_its_shape():
    assert Experts(3, [7])(tf.ones([1, 5])).shape == [1, 3, 7]


def test_an_expert_without_units_is_refused():
    with pytest.raises(ValueError, match=r"must be at least 1. Received: experts=2, units=\[\]"):
        Experts(2, [])

"""Gates, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.gates import Gates, mixture  # noqa: E402

pytestmark = pytest.mark.tensorflow


def test_a_gate_is_the_softmax_of_a_linear_layer_without_bias():
    layer = Gates([2])
    layer.build(tf.TensorShape([None, 1]))
    layer.set_weights([np.array([[math.log(3.0), 0.0]])])
    # x = 1: softmax(log 3, 0) = (3/4, 1/4); x = 0: no bias, so one half each.
    np.testing.assert_allclose(
        layer(tf.constant([[1.0], [0.0]]))[0], [[0.75, 0.25], [0.5, 0.5]], rtol=1e-6
    )
    assert len(layer.trainable_variables) == 1


def test_gates_of_one_input_have_their_own_widths_and_sum_to_one():
    weights = Gates([2, 3, 5])(tf.random.normal([6, 4]))
    assert [gate.shape[1] for gate in weights] == [2, 3, 5]
    for gate in weights:
        np.testing.assert_allclose(tf.reduce_sum(gate, axis=1), np.ones(6), rtol=1e-6)


def test_a_mixture_weighs_experts():
    # ¾ · (1, 0) + ¼ · (0, 8) = (0.75, 2).
    experts = tf.constant([[[1.0, 0.0], [0.0, 8.0]]])
    weights = tf.constant([[0.75, 0.25]])
    assert mixture(weights, [experts]).numpy().tolist() == [[0.75, 2.0]]
    assert mixture(weights, [experts[:, :1], experts[:, 1:]]).numpy().tolist() == [[0.75, 2.0]]


def test_a_gate_over_nothing_is_refused():
    with pytest.raises(ValueError, match=r"at least 1, for each gate. Received: \[0\]"):
        Gates([0])

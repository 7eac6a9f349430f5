"""PEPNet's unit: gates that start at 1, see their input without a gradient, and share one hidden layer."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.flat_input import FlatInput  # noqa: E402
from trainer.layers.gate_nu import GateNU  # noqa: E402

pytestmark = pytest.mark.tensorflow


def drawn(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype("f4"))


def made(sizes=(3, 2), units=4):
    """A layer over P = 2 and I = 5 whose weights are all drawn."""
    layer = GateNU(units, sizes)
    layer([drawn(1, 2), drawn(1, 5)])
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(drawn(*variable.shape, seed=number))
    return layer


def test_a_gate_worked_by_hand():
    layer = GateNU(1, [2])
    layer([tf.zeros([1, 1]), tf.zeros([1, 1])])
    layer.prior_kernel.assign([[2.0]])
    layer.input_kernel.assign([[1.0]])
    layer.bias.assign([-1.0])
    layer.head_kernel.assign([[1.0, -1.0]])
    layer.head_bias.assign([0.0, np.log(3.0)])
    # h = relu(2·1 + 1·(−1) − 1) = 0, so the gates are 2σ(0) = 1 and 2σ(ln 3) = 2 · ¾.
    (gates,) = layer([tf.constant([[1.0]]), tf.constant([[-1.0]])])
    np.testing.assert_allclose(gates, [[1.0, 1.5]], rtol=1e-6)
    # h = relu(2·1 + (ln 3 − 1) − 1) = ln 3: 2σ(ln 3) = 1.5 and 2σ(ln 3 − ln 3) = 1.
    (gates,) = layer([tf.constant([[1.0]]), tf.constant([[np.log(3.0) - 1.0]], tf.float32)])
    np.testing.assert_allclose(gates, [[1.5, 1.0]], rtol=1e-6)


def test_gates_start_at_exactly_one():
    for gate in GateNU(4, [3, 2])([drawn(7, 2), drawn(7, 5)]):
        np.testing.assert_array_equal(gate, np.ones(gate.shape))


def test_the_input_gets_no_gradient_and_the_prior_does():
    layer, prior, x = made(), drawn(6, 2), drawn(6, 5)
    with tf.GradientTape() as tape:
        tape.watch([prior, x])
        loss = tf.add_n([tf.reduce_sum(gate) for gate in layer([prior, x])])
    of_prior, of_x, *of_weights = tape.gradient(loss, [prior, x, *layer.trainable_variables])
    assert of_x is None
    assert np.any(of_prior)
    assert all(np.any(gradient) for gradient in of_weights)


@pytest.mark.parametrize("of_request", [0, 1, 2])
def test_the_parts_of_a_request_give_what_rows_give(of_request):
    layer, prior, x = made(), drawn(1, 2), drawn(1, 5)
    items, of_items = drawn(6, 2 - of_request, seed=3), drawn(6, 2, seed=4)
    split = layer([FlatInput(prior[:, :of_request], items), FlatInput(x[:, :3], of_items)])
    rows = layer(
        [
            tf.concat([tf.repeat(prior[:, :of_request], 6, axis=0), items], axis=1),
            tf.concat([tf.repeat(x[:, :3], 6, axis=0), of_items], axis=1),
        ]
    )
    for one, other in zip(split, rows, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_layer_without_gates_is_refused():
    with pytest.raises(ValueError, match=r"must be at least 1. Received: units=4, sizes=\[\]"):
        GateNU(4, [])

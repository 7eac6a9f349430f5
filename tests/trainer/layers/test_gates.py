"""Gates, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.gates import Gates, HardConcreteGate, mixture  # noqa: E402

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


def gate(log_alpha):
    layer = HardConcreteGate(np.shape(log_alpha))
    layer.build()
    layer.log_alpha.assign(log_alpha)
    return layer


def test_outside_of_training_a_gate_has_no_noise_and_no_temperature():
    # σ(0) · 1.2 − 0.1 = 0.5; σ(log 3) · 1.2 − 0.1 = 0.8; far out it is exactly 0 or 1.
    layer = gate([0.0, math.log(3.0), -9.0, 9.0])
    assert layer.values().numpy() == pytest.approx([0.5, 0.8, 0.0, 1.0])
    assert layer.values().numpy()[2] == 0.0
    assert np.array_equal(layer.values(), layer.values(training=False))


def test_in_training_gates_lie_between_0_and_1_and_reach_both():
    tf.keras.utils.set_random_seed(0)
    layer = gate(np.zeros(2000, "f4"))
    z = layer.values(training=True).numpy()
    assert z.min() == 0.0
    assert z.max() == 1.0
    assert not np.array_equal(z, layer.values(training=True))


@pytest.mark.parametrize("log_alpha", [-2.0, 0.0, 1.5])
def test_the_penalty_is_the_share_of_draws_that_are_not_zero(log_alpha):
    tf.keras.utils.set_random_seed(0)
    layer = gate(np.full(100_000, log_alpha, "f4"))
    drawn = np.count_nonzero(layer.values(training=True).numpy())
    # Binomial: three standard deviations of 100,000 draws are at most .5 %.
    assert drawn / 100_000 == pytest.approx(float(layer.expected_open()) / 100_000, abs=0.005)


def test_the_penalty_of_one_gate_by_hand():
    # σ(0 − ⅔ · log(0.1 / 1.1)) = σ(1.5986) = 0.8318
    assert float(gate([0.0]).expected_open()) == pytest.approx(0.8318, abs=1e-4)


def test_gates_begin_as_likely_open_as_closed():
    layer = HardConcreteGate([1000])
    layer.build()
    assert np.abs(layer.log_alpha.numpy()).max() < 0.06


def test_the_gradient_moves_a_gate_in_training():
    layer = gate([0.0])
    tf.keras.utils.set_random_seed(1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer.values(training=True)) + layer.expected_open()
    assert float(tape.gradient(loss, layer.log_alpha)[0]) > 0.0


def test_a_gate_multiplies_what_it_is_called_with():
    # ẑ is 0, .5 and 1.
    layer = gate([-9.0, 0.0, 9.0])
    assert layer(tf.constant([[2.0, 2.0, 2.0]])).numpy().tolist() == [[0.0, 1.0, 2.0]]

"""EPNet and PPNet against a second implementation, written in NumPy from the paper's equations."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.personalisation import Personalisation  # noqa: E402
from trainer.layers.tower import Tower  # noqa: E402

pytestmark = pytest.mark.tensorflow

# Columns 0–4 belong to the request. The domain is columns 1 and 2, the prior 0 and 5–6.
WIDTH, REQUEST_WIDTH, DOMAIN, PRIOR = 9, 5, (1, 2), (0, 5, 6)


def made(domain=DOMAIN, prior=PRIOR, towers=((3, 2), (3, 2))):
    layer = Personalisation(
        domain, prior, width=WIDTH, request_width=REQUEST_WIDTH, units=4, towers=towers
    )
    x = tf.constant(np.random.default_rng(0).normal(size=(6, WIDTH)).astype("f4"))
    layer(x)
    random = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    return layer, x


def gates_by_equation(unit, prior, x):
    """δ = 2 σ(W₂ relu(W₁ [p; x] + b₁) + b₂)."""
    first = np.concatenate([unit.prior_kernel.numpy(), unit.input_kernel.numpy()])
    h = np.maximum(np.concatenate([prior, x], axis=1) @ first + unit.bias.numpy(), 0)
    return 2 / (1 + np.exp(-(h @ unit.head_kernel.numpy() + unit.head_bias.numpy())))


def test_epnet_scales_each_column_of_the_input():
    layer, x = made(prior=())
    gated = layer(x)
    expected = gates_by_equation(layer.of_input, x.numpy()[:, DOMAIN], x.numpy())
    np.testing.assert_allclose(gated.field_gates, expected, atol=1e-5)
    np.testing.assert_allclose(gated.x, expected * x, atol=1e-5)
    assert gated.tower_gates == [[], []]


def test_ppnet_sees_the_gated_input_and_scales_each_hidden_layer_of_each_tower():
    layer, x = made()
    gated = layer(x)
    scaled = gates_by_equation(layer.of_input, x.numpy()[:, DOMAIN], x.numpy()) * x.numpy()
    # The prior itself is read as it was looked up.
    gates = gates_by_equation(layer.of_towers, x.numpy()[:, PRIOR], scaled)
    parts = np.split(gates, [3, 5, 8], axis=1)
    found = [gate for tower in gated.tower_gates for gate in tower]
    for gate, expected in zip(found, parts, strict=True):
        np.testing.assert_allclose(gate, expected, atol=1e-5)
    tower = Tower([3, 2])
    logits = tower(x, gates=gated.tower_gates[1])
    h = x.numpy()
    for dense, gate in zip(tower.hidden, parts[2:], strict=True):
        kernel, bias = dense.get_weights()
        h = np.maximum(h @ kernel + bias, 0) * gate
    kernel, bias = tower.logit.get_weights()
    np.testing.assert_allclose(logits, (h @ kernel + bias)[:, 0], atol=1e-5)


def test_the_gradient_of_a_gated_value_is_its_gate():
    # Both stop-gradients: x gets a gradient where it is multiplied, and as domain or prior.
    layer, x = made()
    with tf.GradientTape() as tape:
        tape.watch(x)
        gated = layer(x)
        loss = tf.reduce_sum(gated.x) + tf.add_n(
            [tf.reduce_sum(gate) for tower in gated.tower_gates for gate in tower]
        )
    others = [column for column in range(WIDTH) if column not in (*DOMAIN, *PRIOR)]
    gradient = tape.gradient(loss, x).numpy()
    np.testing.assert_allclose(gradient[:, others], gated.field_gates.numpy()[:, others], rtol=1e-5)
    for column in (*DOMAIN, *PRIOR):
        assert not np.allclose(gradient[:, column], gated.field_gates.numpy()[:, column])


def test_multiplications_of_the_users_half_are_counted_once_a_request():
    # PPNet alone: of 3 + 9 columns the request's are 1 + 5, times 4 units; the candidate's are 2 +
    # 4 columns, then 4 · 10 of the heads and 10 products.
    assert made(domain=())[0].multiplications() == (24, 24 + 50)
    # EPNet: (2 + 5) · 4 and (0 + 4) · 4 + 4 · 9 + 9. PPNet behind it: 1 · 4, (2 + 9) · 4 and 50.
    assert made()[0].multiplications() == (28 + 4, 61 + 44 + 50)

"""The projection of given vectors, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.fields.vector_projection import VectorProjection  # noqa: E402

pytestmark = pytest.mark.tensorflow

V = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [1e30, 2e30, -1e30], [-1.0, 0.5, 2.0]], "f4")


def made(**settings):
    layer = VectorProjection(4, **settings)
    layer(tf.constant(V))
    random = np.random.default_rng(0)
    for weight in layer.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return layer


def expected(layer, v):
    weights = {weight.name.split("/")[-1].split(":")[0]: weight for weight in layer.weights}
    h = v.astype(np.float64) @ weights["kernel"].numpy()
    deviation = np.sqrt(h.var(axis=1, keepdims=True) + 1e-3)
    return (h - h.mean(axis=1, keepdims=True)) / deviation * weights["gamma"] + weights["beta"]


def test_a_vector_is_multiplied_and_normalised():
    layer = made()
    rows = V[[0, 1, 3]]
    np.testing.assert_allclose(layer(tf.constant(rows)), expected(layer, rows), atol=1e-5)


def test_the_length_of_a_normalised_vector_does_not_matter():
    layer = made(normalise=True)
    # (3, 4, 0) becomes (.6, .8, 0), zeros stay, and large numbers do not overflow.
    lengths = np.array([5.0, 1.0, np.sqrt(6.0) * 1e30, np.sqrt(5.25)])[:, np.newaxis]
    np.testing.assert_allclose(layer(tf.constant(V)), expected(layer, V / lengths), atol=1e-4)
    np.testing.assert_allclose(
        layer(tf.constant(V[:1] * 7.0)), layer(tf.constant(V[:1])), atol=1e-5
    )


def test_a_missing_vector_is_a_learnt_one_and_spoils_no_gradient():
    layer = made(normalise=True)
    v = np.concatenate([V, np.full((1, 3), np.nan, "f4")])
    with tf.GradientTape() as tape:
        out = layer(tf.constant(v))
        loss = tf.reduce_sum(out**2)
    np.testing.assert_array_equal(out[-1], layer.missing)
    np.testing.assert_array_equal(out[:-1], layer(tf.constant(V)))
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.all(np.isfinite(gradient))
        assert np.any(gradient)


def test_it_is_made_again_from_its_configuration():
    layer = made(normalise=True)
    again = VectorProjection.from_config(layer.get_config())
    again(tf.constant(V))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(tf.constant(V)), layer(tf.constant(V)))


def test_no_units_are_refused():
    with pytest.raises(ValueError, match="`units` must be at least 1. Received: 0"):
        VectorProjection(0)

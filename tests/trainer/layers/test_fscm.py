"""Inputs that an FSCM refuses; the tests of MSSM work it by its equations."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.flat_input import FlatInput  # noqa: E402
from trainer.layers.fscm import FSCM  # noqa: E402

pytestmark = pytest.mark.tensorflow


def fscm() -> FSCM:
    return FSCM(subnetworks=2, units=3, field_widths=[4, 2, 2])


@pytest.mark.parametrize(
    "x", [tf.ones([5, 10]), tf.ones([5, 6]), FlatInput(tf.ones([1, 4]), tf.ones([5, 2]))]
)
def test_an_input_of_another_width_than_the_fields(x):
    with pytest.raises(ValueError, match=r"the sum of `field_widths`, 8. Received: (6|10)"):
        fscm()(x)


@pytest.mark.parametrize("width", [3, 5, 7])
def test_a_flat_input_that_is_cut_inside_of_a_field(width):
    with pytest.raises(ValueError, match=rf"cut between two fields .* Received: .* {width}"):
        fscm()(FlatInput(tf.ones([1, width]), tf.ones([5, 8 - width])))


def test_masks_of_a_kind_that_does_not_exist():
    with pytest.raises(ValueError, match="`masks` must be one of biased, paper. Received: 'open'"):
        FSCM(subnetworks=2, units=3, field_widths=[4], masks="open")


def test_a_configuration_of_before_there_was_a_choice_has_the_masks_of_the_paper():
    config = fscm().get_config()
    assert FSCM.from_config(config).masks_are == "biased"
    del config["masks"]
    assert FSCM.from_config(config).masks_are == "paper"


@pytest.mark.parametrize("kind", ["biased", "paper"])
def test_a_plain_number_passes_with_both_signs(kind):
    numbers = FSCM(subnetworks=3, units=2, field_widths=[4, 1, 1], masks=kind)
    x = tf.concat([tf.fill([2, 4], 0.05), tf.constant([[-2.0, 0.5], [2.0, -0.5]])], axis=1)
    numbers(x)  # makes the weights
    masks = numbers.masks(x).numpy()
    # tanh(1) at the start, whatever the number.
    np.testing.assert_allclose(masks[:, :, 1:], np.tanh(1.0), rtol=1e-6)
    # The masks learn on which numbers to close: relu(tanh(g · e + a)).
    query, bias = numbers.query.numpy(), numbers.mask_bias.numpy()
    first_number = 1 if kind == "biased" else 0  # the paper's masks have biases of numbers only
    query[0, 4], bias[0, first_number] = 1.0, 0.5
    numbers.set_weights([query, bias, *numbers.get_weights()[2:]])
    masks = numbers.masks(x).numpy()
    np.testing.assert_allclose(masks[:, 0, 1], [0.0, np.tanh(2.5)], rtol=1e-6)
    np.testing.assert_allclose(masks[:, 1, 1], np.tanh(1.0), rtol=1e-6)


def test_a_flat_input_trains_masks_that_all_sub_networks_close_as_whole_rows_do():
    layer, random = fscm(), np.random.default_rng(3)
    x = tf.constant(random.normal(size=(5, 8)), tf.float32)
    layer(x)
    layer.mask_bias.assign(tf.fill(layer.mask_bias.shape, -9.0))
    # W u with u = 0 everywhere; ones pass the ReLU.
    layer.bias.assign(tf.ones_like(layer.bias))

    def gradient(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs, training=True) ** 2)
        return tape.gradient(loss, layer.mask_bias).numpy()

    by_rows = gradient(x)
    assert np.abs(by_rows).min() > 0.0
    np.testing.assert_allclose(gradient(FlatInput(x[:, :4], x[:, 4:])), by_rows, rtol=1e-5)

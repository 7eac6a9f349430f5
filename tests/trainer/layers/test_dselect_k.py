"""DSelect-k gates, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")
from trainer.layers.dselect_k import DSelectKGate, smooth_step  # noqa: E402

pytestmark = pytest.mark.tensorflow


def gate(codes, logits, experts, width=1.0):
    layer = DSelectKGate(len(codes), len(codes[0]), width)
    layer(tf.ones([1, experts, 2]))
    layer.codes.assign(codes)
    layer.logits.assign(logits)
    return layer


def test_the_smooth_step_is_flat_outside_of_its_width():
    # −2/64 + 3/8 + ½ = 27/32 at ¼ with γ = 1, and its mirror image at −¼.
    steps = smooth_step(tf.constant([-9.0, -0.5, -0.25, 0.0, 0.25, 0.5, 9.0]), 1.0)
    assert steps.numpy().tolist() == pytest.approx([0, 0, 5 / 32, 0.5, 27 / 32, 1, 1])
    assert smooth_step(tf.constant([0.5]), 2.0).numpy() == pytest.approx([27 / 32])


def test_a_selector_spells_the_number_of_its_expert_in_bits():
    # 00, 01, 10 and 11 are experts 1 to 4.
    for expert, code in enumerate([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]):
        selectors = gate([[code]], [[0.0]], experts=4).selectors()
        assert selectors.numpy().tolist() == [[np.eye(4)[expert].tolist()]]


def test_an_undecided_selector_spreads_over_all_experts():
    # S = 27/32 and ½: (5/64, 5/64, 27/64, 27/64).
    selectors = gate([[[0.25, 0.0]]], [[0.0]], experts=4).selectors()
    assert selectors.numpy()[0, 0].tolist() == pytest.approx([5 / 64, 5 / 64, 27 / 64, 27 / 64])


def test_a_gate_weighs_its_selectors_by_a_softmax():
    layer = gate([[[-1.0, 1.0], [1.0, 1.0]]], [[math.log(3.0), 0.0]], experts=4)
    assert layer.values().numpy().tolist() == [pytest.approx([0.0, 0.75, 0.0, 0.25])]
    u = tf.constant([[[1.0], [4.0], [100.0], [8.0]]])
    assert layer(u).numpy().tolist() == [[[pytest.approx(5.0)]]]


def test_the_entropy_is_that_of_each_selector():
    # Uniform over 4 has log 4; a choice has 0.
    layer = gate([[[0.0, 0.0], [1.0, -1.0]]], [[0.0, 0.0]], experts=4)
    assert float(layer.entropy()) == pytest.approx(math.log(4.0), abs=1e-4)


def test_weight_on_codes_without_an_expert_is_punished():
    # Undecided, 3 of 4 codes have an expert: 4/3 − 1. A selector of an expert costs nothing.
    layer = gate([[[0.0, 0.0], [1.0, -1.0]]], [[0.0, 0.0]], experts=3)
    assert float(layer.unused_codes()) == pytest.approx(1 / 3, abs=1e-4)
    assert np.isfinite(float(gate([[[1.0, 1.0]]], [[0.0]], experts=3).unused_codes()))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 9),
    st.integers(1, 3),
    st.floats(0.1, 4),
    st.integers(0, 2**16),
)
def test_at_most_k_experts_are_read_once_selectors_have_chosen(experts, selected, width, seed):
    random = np.random.default_rng(seed)
    selected = min(selected, experts)
    layer = DSelectKGate(2, selected, width)
    layer(tf.ones([1, experts, 2]))
    layer.codes.assign(np.where(random.random(layer.codes.shape) < 0.5, -width, width) / 2)
    values = layer.values().numpy()
    assert (np.count_nonzero(values, axis=1) <= selected).all()
    layer.codes.assign(random.normal(size=layer.codes.shape))
    values = layer.values().numpy()
    assert (values >= 0).all()
    assert (values.sum(axis=1) <= 1 + 1e-5).all()
    if experts in (2, 4, 8):
        assert values.sum(axis=1) == pytest.approx(1.0, rel=1e-5)


def test_the_penalties_alone_lead_selectors_to_experts():
    tf.keras.utils.set_random_seed(0)
    layer = DSelectKGate(3, 2)
    layer(tf.ones([1, 6, 2]))
    optimizer = tf.keras.optimizers.legacy.Adam(0.01)
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = layer.entropy() + layer.unused_codes()
        optimizer.minimize(loss, [layer.codes], tape=tape)
    assert set(np.ravel(layer.selectors())) == {0.0, 1.0}
    assert layer.selectors().numpy().sum(axis=2) == pytest.approx(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("arguments", "experts", "message"),
    [
        ((0, 1), 4, "must be at least 1"),
        ((1, 2, 0.0), 4, "above 0"),
        ((1, 3), 2, "2 experts, selected=3"),
        ((1, 1), 1, "two experts or more"),
    ],
)
def test_numbers_that_cannot_be_are_refused(arguments, experts, message):
    with pytest.raises(ValueError, match=message):
        DSelectKGate(*arguments)(tf.ones([1, experts, 2]))

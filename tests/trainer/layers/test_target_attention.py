"""Target attention, against numbers worked by hand and a second implementation in NumPy."""

from __future__ import annotations

import json

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.target_attention import (  # noqa: E402
    ActivationUnit,
    DotProductAttention,
    History,
    masked_softmax,
)

pytestmark = pytest.mark.tensorflow

B, L, E, M = 6, 5, 4, 3
LAYERS = {
    "dot product": lambda **how: DotProductAttention(6, 2, **how),
    "activation unit": lambda **how: ActivationUnit([7, 3], **how),
}
EVERY_LAYER = pytest.mark.parametrize("kind", LAYERS)


def history(requests=B, marks=M, seed=0):
    """Candidates, and histories of 5, 4, … 0 entries, or one history of 4."""
    random = np.random.default_rng(seed)

    def drawn(*shape):
        return tf.constant(random.normal(size=shape).astype("f4"))

    lengths = [4] if requests == 1 else [5, 4, 3, 2, 1, 0]
    return History(
        drawn(B, E), drawn(requests, L, E), drawn(requests, L, marks), tf.sequence_mask(lengths, L)
    )


def made(kind, marks=M, **how):
    tf.keras.utils.set_random_seed(3)
    layer = LAYERS[kind](**how)
    layer(history(marks=marks))
    for weight in layer.trainable_variables:
        if "bias" in weight.name:  # they start at 0
            weight.assign(tf.random.normal(weight.shape))
    return layer


def repeated(one):
    """The history of one request, once for each candidate."""
    return History(one.candidates, *(tf.repeat(part, B, axis=0) for part in one[1:]))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def dot_product(layer, h):
    """concat_h Σ_j softmax_j((W_q c) · (W_k [e_j; m_j]) / √d + b · m_j) W_v [e_j; m_j], row by row."""
    query, key, value = (w.numpy() for w in (layer.query, layer.key, layer.value))
    rows = []
    for c, e, m, mask in zip(*(part.numpy() for part in h), strict=True):
        em, heads = np.concatenate([e, m], axis=1)[mask], []
        for head in range(layer.heads):
            scores = em @ key[:, head] @ (c @ query[:, head]) / np.sqrt(key.shape[2])
            if layer.mark_bias is not None:
                scores = scores + m[mask] @ layer.mark_bias.numpy()[:, head]
            weights = softmax(scores) if len(em) else np.zeros(0)
            heads.append(weights @ em @ value[:, head])
        rows.append(np.concatenate(heads))
    return np.array(rows)


def activation_unit(layer, h, kernels):
    """Σ_j MLP([e_j; c; e_j − c; e_j ⊙ c; m_j]) [e_j; m_j], with DIN's first layer in one piece."""
    rows = []
    for c, e, m, mask in zip(*(part.numpy() for part in h), strict=True):
        total = np.zeros(e.shape[1] + m.shape[1])
        for e_j, m_j in zip(e[mask], m[mask], strict=True):
            x = np.concatenate([e_j, c, e_j - c, e_j * c, m_j])
            x = np.maximum(x @ kernels + layer.bias.numpy(), 0)
            for dense in layer.rest:
                x = np.maximum(x @ dense.kernel.numpy() + dense.bias.numpy(), 0)
            a = x @ layer.weight.kernel.numpy()[:, 0] + layer.weight.bias.numpy()[0]
            total += a * np.concatenate([e_j, m_j])
        rows.append(total)
    return np.array(rows)


def test_dot_product_attention_worked_by_hand():
    layer = DotProductAttention(1, 1)
    h = History(
        tf.constant([[1.0], [-1.0]]),
        tf.constant([[[0.0], [1.0], [9.0]]]),
        tf.constant([[[1.0], [0.0], [0.0]]]),
        tf.constant([[True, True, False]]),
    )
    layer(h)
    layer.query.assign([[[np.log(2.0)]]])
    layer.key.assign([[[1.0]], [[0.0]]])
    layer.value.assign([[[10.0]], [[1.0]]])
    layer.mark_bias.assign([[np.log(4.0)]])
    # Scores of the first candidate: 0 + ln 4 and ln 2, so weights 4/6 and 2/6; values 10·0 + 1 and
    # 10. Of the second: ln 4 and −ln 2, so 4 : 1/2 = 8/9 and 1/9. The third entry does not count.
    np.testing.assert_allclose(
        layer.entry_weights(h)[:, 0], [[2 / 3, 1 / 3, 0], [8 / 9, 1 / 9, 0]], rtol=1e-6
    )
    np.testing.assert_allclose(layer(h), [[2 / 3 + 10 / 3], [8 / 9 + 10 / 9]], rtol=1e-6)


def test_an_activation_unit_worked_by_hand():
    layer = ActivationUnit([1])
    h = History(
        tf.constant([[2.0]]),
        tf.constant([[[3.0], [-1.0], [9.0]]]),
        tf.zeros([1, 3, 0]),
        tf.constant([[True, True, False]]),
    )
    layer(h)
    layer.entry_kernel.assign([[1.0]])
    layer.candidate_kernel.assign([[0.5]])
    layer.product_kernel.assign([[2.0]])
    layer.weight.kernel.assign([[0.1]])
    layer.weight.bias.assign([1.0])
    # First entry: relu(3 + 1 + 2·6) = 16, a = 2.6; second: relu(−1 + 1 − 4) = 0, a = 1. Without a
    # softmax they need not sum to 1: 2.6·3 − 1 = 6.8.
    np.testing.assert_allclose(layer.entry_weights(h), [[2.6, 1.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(layer(h), [[6.8]], rtol=1e-6)


@pytest.mark.parametrize("marks", [M, 0])
def test_dot_product_attention_by_its_equation(marks):
    layer, h = made("dot product", marks), history(marks=marks)
    np.testing.assert_allclose(layer(h), dot_product(layer, h), atol=1e-5)


@pytest.mark.parametrize("marks", [M, 0])
def test_an_activation_unit_by_dins_equation(marks):
    layer, h = made("activation unit", marks), history(marks=marks)
    # DIN's kernels W₁ … W₄ of the first layer, and W₅ of the marks.
    w1, w2, w3, w4 = np.random.default_rng(5).normal(size=(4, E, 7))
    w5 = np.random.default_rng(6).normal(size=(marks, 7))
    layer.entry_kernel.assign(np.concatenate([w1 + w3, w5]))
    layer.candidate_kernel.assign(w2 - w3)
    layer.product_kernel.assign(w4)
    expected = activation_unit(layer, h, np.concatenate([w1, w2, w3, w4, w5]))
    np.testing.assert_allclose(layer(h), expected, rtol=1e-4, atol=1e-4)


@EVERY_LAYER
def test_one_history_for_all_candidates_is_that_history_for_each(kind):
    layer, one = made(kind), history(requests=1)
    np.testing.assert_allclose(layer(one), layer(repeated(one)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        layer.entry_weights(one), layer.entry_weights(repeated(one)), atol=1e-5
    )


@EVERY_LAYER
def test_candidates_may_differ_in_the_entries_that_count(kind):
    layer, one = made(kind), history(requests=1)
    masks = np.random.default_rng(2).random((B, L)) < 0.5
    one = one._replace(mask=tf.constant(masks))
    each = repeated(one)._replace(mask=tf.constant(masks))
    np.testing.assert_allclose(layer(one), layer(each), rtol=1e-4, atol=1e-5)
    seen = np.abs(layer.entry_weights(one).numpy()).reshape(B, -1, L).max(axis=1) > 0
    assert (seen == masks).all()


@EVERY_LAYER
@pytest.mark.parametrize("requests", [B, 1])
def test_a_history_without_an_entry_is_zeros_and_has_finite_gradients(kind, requests):
    layer = made(kind)
    h = history(requests=requests)
    h = h._replace(mask=tf.zeros_like(h.mask))
    with tf.GradientTape() as tape:
        tape.watch(h[:3])
        result = layer(h)
        loss = tf.reduce_sum(tf.square(result + 1.0))
    assert not result.numpy().any()
    for gradient in tape.gradient(loss, [*h[:3], *layer.trainable_variables]):
        assert gradient is None or not np.any(gradient)


@EVERY_LAYER
def test_entries_that_do_not_count_change_nothing_and_get_no_gradient(kind):
    layer, h = made(kind), history()
    hidden = ~h.mask.numpy()
    entries = h.entries.numpy()
    entries[hidden] = 1e4
    with tf.GradientTape() as tape:
        tape.watch(h.entries)
        result = layer(h)
    np.testing.assert_array_equal(result, layer(h._replace(entries=tf.constant(entries))))
    gradient = tape.gradient(result, h.entries).numpy()
    assert not gradient[hidden].any()
    assert gradient[~hidden].all(axis=1).any()


def test_the_order_of_entries_changes_nothing():
    layer, h = made("dot product"), history()
    turned = History(h.candidates, *(tf.reverse(part, [1]) for part in h[1:]))
    np.testing.assert_allclose(layer(h), layer(turned), atol=1e-6)


def test_a_softmax_of_large_scores_keeps_to_its_entries():
    scores = tf.constant([[1e8, 1e8, -1e8], [-1e8, 1e8, 0.0]])
    weights = masked_softmax(scores, tf.constant([[True, True, True], [True, False, False]]))
    assert weights.numpy().tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


@pytest.fixture
def half_precision():
    """Sets the policy from which sublayers, too, take their precision."""
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@EVERY_LAYER
@pytest.mark.parametrize("requests", [B, 1])
def test_half_precision_stays_near_float32(kind, requests, half_precision):
    half, h = made(kind), history(requests=requests)
    tf.keras.mixed_precision.set_global_policy("float32")
    layer = made(kind)
    layer.set_weights(half.get_weights())
    result = half(h)
    assert result.dtype == tf.bfloat16
    exact = layer(h).numpy()
    difference = np.abs(tf.cast(result, tf.float32) - exact)
    assert 0.0 < difference.max() < 0.05 * np.abs(exact).max()


def test_weights_of_half_precision_are_rounded_after_the_softmax(half_precision):
    # 256 equal entries: a sum of bfloat16 stops at 256 · 1/256, and would lose entries before.
    layer = DotProductAttention(1, 1)
    h = History(
        tf.ones([1, 1]), tf.ones([1, 300, 1]), tf.zeros([1, 300, 0]), tf.ones([1, 300], tf.bool)
    )
    layer(h)
    layer.value.assign([[[1.0]]])
    np.testing.assert_allclose(tf.cast(layer(h), tf.float32), [[1.0]], rtol=0.01)


@EVERY_LAYER
def test_dropout_is_on_in_training_only(kind):
    layer, h = made(kind, dropout_rate=0.5), history()
    whole, dropped = layer(h).numpy(), layer(h, training=True).numpy()
    kept = dropped != 0.0
    assert 0.2 < kept[:5].mean() < 0.8
    np.testing.assert_allclose(dropped[kept], 2.0 * whole[kept], rtol=1e-5)


@EVERY_LAYER
def test_the_configuration_survives_json(kind):
    layer, h = made(kind, dropout_rate=0.25), history()
    copy = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    copy(h)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(h), layer(h))
    assert copy.dropout_rate == 0.25


@EVERY_LAYER
def test_kernels_start_with_the_spread_of_their_fan_in(kind):
    # Glorot's uniform draws reach √(6 / (inputs + outputs)) of the matrix that they belong to.
    layer = DotProductAttention(64, 4) if kind == "dot product" else ActivationUnit([64])
    wide = 64
    layer(
        History(
            tf.ones([1, wide]), tf.ones([1, 1, wide]), tf.ones([1, 1, 8]), tf.ones([1, 1], tf.bool)
        )
    )
    limits = (
        [(layer.query, 80), (layer.key, 88), (layer.value, 88)]
        if kind == "dot product"
        else [(layer.entry_kernel, 3 * 64 + 8 + 64), (layer.product_kernel, 3 * 64 + 8 + 64)]
    )
    for kernel, fans in limits:
        assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / fans), rel=0.01)


@pytest.mark.parametrize(("units", "heads"), [(6, 4), (0, 1), (4, 0)])
def test_units_that_heads_cannot_share_are_refused(units, heads):
    with pytest.raises(ValueError, match=f"a multiple of `heads`. Received: {units}, {heads}"):
        DotProductAttention(units, heads)


def test_an_activation_unit_without_a_hidden_layer_is_refused():
    with pytest.raises(ValueError, match=r"for each hidden layer. Received: \[\]"):
        ActivationUnit([])

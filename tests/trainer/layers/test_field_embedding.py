"""Field embeddings, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.layers.field_embedding import FieldEmbedding, SlotLayout, flattened  # noqa: E402

pytestmark = pytest.mark.tensorflow

# Two fields of one value and a list of up to 3 of width 2, and a field of width 1.
SLOTS = [
    SlotLayout(0, 1, 2, 0),
    SlotLayout(1, 3, 2, 1),
    SlotLayout(4, 1, 1, 0),
    SlotLayout(5, 1, 2, 0),
]


def embedding() -> FieldEmbedding:
    layer = FieldEmbedding({2: 5, 1: 3})
    layer.build(None)
    # Row r of width 2 is [r, 10 r]; row r of width 1 is [100 r].
    layer.tables["2"].assign([[r, 10.0 * r] for r in range(5)])
    layer.tables["1"].assign([[100.0 * r] for r in range(3)])
    return layer


def flat(layer, ids, numbers=None):
    ids = tf.constant(ids, tf.int64)
    return flattened(layer(ids, slots=SLOTS), ids, numbers, SLOTS)


def test_widths_ascend_with_single_values_before_lists_and_numbers_last():
    # Width 1: row 2 → 200. Width 2: rows 3 and 1, then the list [2, 4] (1 is its padding): mean [3,
    # 30]. Number 7.
    result = flat(embedding(), [[3, 2, 4, 1, 2, 1]], tf.constant([[7.0]]))
    assert result.numpy().tolist() == [[200.0, 3.0, 30.0, 1.0, 10.0, 3.0, 30.0, 7.0]]


def test_rows_are_read_field_by_field():
    # Two examples; width 1 has one column, width 2 two fields and a list of 3.
    one, two = embedding()(
        tf.constant([[3, 2, 4, 1, 2, 1], [0, 0, 0, 0, 1, 4]], tf.int64), slots=SLOTS
    )
    assert one.numpy().tolist() == [[[200.0], [100.0]]]
    assert two.shape == (5, 2, 2)
    assert two[:, 0, 0].numpy().tolist() == [3.0, 1.0, 2.0, 4.0, 1.0]


def test_a_width_may_have_lists_only():
    slots = SLOTS[1:3]
    ids = tf.constant([[3, 2, 4, 1, 2, 1]] * 3, tf.int64)
    result = flattened(embedding()(ids, slots=slots), ids, None, slots)
    assert result.numpy().tolist() == [[200.0, 3.0, 30.0]] * 3


def test_an_empty_list_is_zero():
    assert flat(embedding(), [[0, 1, 1, 1, 0, 0]]).numpy()[0, -2:].tolist() == [0.0, 0.0]


def test_a_list_is_the_mean_by_its_weights():
    # Rows 2 and 4 with weights .5 and .25, and a weight behind the end that does not count:
    # (.5 · 2 + .25 · 4) / .75 = 8/3. Weights of 0 alone are an empty list.
    slots = [SLOTS[1]._replace(weights=1)]
    ids = tf.constant([[3, 2, 4, 1, 2, 1]] * 2, tf.int64)
    weights = tf.constant([[9.0, 0.5, 0.25, 7.0], [9.0, 0.0, 0.0, 7.0]])
    result = flattened(embedding()(ids, slots=slots), ids, None, slots, weights)
    np.testing.assert_allclose(result, [[8 / 3, 80 / 3], [0.0, 0.0]], rtol=1e-6)


def test_lists_with_and_without_weights_agree_with_numpy():
    draw = np.random.default_rng(3)
    slots = [SlotLayout(0, 3, 2, 1, 2), SlotLayout(3, 4, 2, 0), SlotLayout(7, 2, 2, 1, 0)]
    ids, weights = draw.integers(0, 5, (40, 9)), draw.random((40, 5)) * draw.integers(0, 2, (40, 5))
    table = np.array([[r, 10.0 * r] for r in range(5)])
    expected = []
    for of_row, w in zip(ids, weights, strict=True):
        row: list[float] = []
        for slot in slots:
            of_list = of_row[slot.start : slot.start + slot.length]
            by = np.ones(slot.length) if slot.weights is None else w[slot.weights :][: slot.length]
            by = by * (of_list != slot.missing_row)
            row += list(by @ table[of_list] / by.sum()) if by.sum() else [0.0, 0.0]
        expected.append(row)
    tensor = tf.constant(ids, tf.int64)
    lookups = embedding()(tensor, slots=slots)
    result = flattened(lookups, tensor, None, slots, tf.constant(weights, tf.float32))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_no_gradient_of_a_weighted_list_is_nan():
    slots = [SLOTS[1]._replace(weights=0)]
    ids = tf.constant([[3, 2, 4, 1, 2, 1]], tf.int64)
    layer = embedding()
    with tf.GradientTape() as tape:
        flat = flattened(layer(ids, slots=slots), ids, None, slots, tf.zeros([1, 3]))
    gradient = tape.gradient(flat, layer.tables["2"])
    assert isinstance(gradient, tf.IndexedSlices)
    assert not gradient.values.numpy().any()


def test_a_list_with_weights_needs_their_matrix():
    slots = [SLOTS[1]._replace(weights=0)]
    ids = tf.constant([[3, 2, 4, 1, 2, 1]], tf.int64)
    with pytest.raises(ValueError, match="`weights` is needed"):
        flattened(embedding()(ids, slots=slots), ids, None, slots)


def test_a_side_of_numbers_only_needs_no_table():
    assert flattened([], None, tf.constant([[1.0, 2.0]]), []).numpy().tolist() == [[1.0, 2.0]]


def test_gradients_are_sparse_so_a_step_does_not_grow_with_the_table():
    layer = embedding()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(flat(layer, [[3, 2, 4, 1, 2, 1]]))
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)


def test_padding_rows_of_a_list_get_no_gradient():
    layer = embedding()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(flat(layer, [[3, 2, 4, 1, 2, 3]])[:, -2:])
    dense = np.zeros((5, 2))
    gradient = tape.gradient(loss, layer.tables["2"])
    np.add.at(dense, gradient.indices.numpy(), gradient.values.numpy())
    # The list of two rows halves each one's share; its padding, row 1, has none.
    assert dense.tolist() == [[0, 0], [0, 0], [0.5, 0.5], [0, 0], [0.5, 0.5]]


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="at least 1. Received: {16: 0}"):
        FieldEmbedding({16: 0})


def test_a_slot_without_a_table_of_its_width_is_refused():
    slots = [SlotLayout(0, 1, 2, 0), SlotLayout(1, 1, 16, 0)]
    with pytest.raises(ValueError, match=r"a table for each slot's width. Received: .* \[2, 16\]"):
        embedding()(tf.constant([[3, 1]], tf.int64), slots=slots)


def test_the_configuration_survives_json():
    import json

    config = json.loads(json.dumps(embedding().get_config()))
    assert FieldEmbedding.from_config(config).table_rows == {2: 5, 1: 3}

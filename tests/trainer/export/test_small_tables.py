"""Tables in fewer bits: what is kept of each value, by hand, and the scores of every model."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.settings.model_config import MODELS

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.export.small_tables import SmallTables, with_small_tables  # noqa: E402
from trainer.layers.field_embedding import FieldEmbedding, SlotLayout  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import FieldRows  # noqa: E402

pytestmark = pytest.mark.tensorflow

SLOTS = [SlotLayout(0, 1, 2, 0)]


def trained(rows):
    """A layer whose table of width 2 has these rows."""
    layer = FieldEmbedding({2: len(rows)})
    layer(tf.zeros([1, 1], tf.int64), slots=SLOTS)
    layer.tables["2"].assign(rows)
    return layer


def looked_up(layer, row):
    return layer(tf.constant([[row]]), slots=SLOTS)[0].numpy()[0, 0].tolist()


def test_int8_keeps_multiples_of_a_127th_of_the_largest_value_of_each_row():
    small = SmallTables(trained([[127.0, -0.6], [0.0, 0.0], [-2.54, 0.013]]), "int8")
    # Row 0 has the scale 1, so -0.6 becomes -1. Row 2 has the scale 0.02, so 0.013 becomes 0.02.
    assert looked_up(small, 0) == [127.0, -1.0]
    assert looked_up(small, 1) == [0.0, 0.0]
    np.testing.assert_allclose(looked_up(small, 2), [-2.54, 0.02], rtol=1e-6)
    assert small.values["2"].dtype == tf.int8
    assert small.values["2"].numpy().tolist() == [[127, -1], [0, 0], [-127, 1]]


def test_float16_keeps_11_bits():
    small = SmallTables(trained([[2049.0, 0.1]]), "float16")
    # 2049 needs 12 bits.
    assert looked_up(small, 0) == [2048.0, float(np.float16(0.1))]
    assert small.values["2"].dtype == tf.float16


@pytest.mark.parametrize(("dtype", "value"), [("float16", 1e5), ("int8", np.inf)])
def test_a_value_beyond_the_type_is_refused_with_what_to_do(dtype, value):
    with pytest.raises(
        ValueError, match=f"width 2 .* {dtype} .*trainer.export_table_dtype=float32"
    ):
        SmallTables(trained([[value, 0.0]]), dtype)


@pytest.fixture(scope="module")
def made(layout, features):
    """Gives a network of a model, whose scores differ between rows, and its features."""
    from trainer.settings.train_config import parse_settings

    def make(name):
        tf.keras.utils.set_random_seed(0)
        network = Network(layout, parse_settings({"name": name, "tower_units": [8]}, {}))
        inputs = {key: tf.constant(values) for key, values in features.items()}
        network(inputs)
        for table in network.embedding_tables:
            table.assign(tf.random.normal(table.shape, stddev=0.3))
        return network, inputs

    return make


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_rounded_tables(made, name, dtype):
    network, inputs = made(name)
    small = with_small_tables(network, dtype)
    half = half_precision_network(small)
    before = network(inputs)
    found, of_half = small(inputs), half(inputs)
    for embedding, one in zip(network.embeddings, small.embeddings, strict=True):
        for width, table in embedding.tables.items():
            table.assign(one.look_up(int(width), tf.range(table.shape[0])))
    for task, logits in network(inputs).items():
        np.testing.assert_array_equal(found[task], logits)
        assert np.abs(found[task] - before[task]).max() > 0.0
        np.testing.assert_allclose(
            of_half[task], logits, atol=0.05 * max(1.0, np.abs(logits).max())
        )


def test_a_network_is_pruned_by_the_values_that_are_served(made):
    network, inputs = made("mssm")
    small = with_small_tables(network, "int8")
    rows = [
        FieldRows(
            None if width == 1 else np.arange(network.layout.table_rows[width]), is_list=False
        )
        for width in network.layout.field_widths
    ]
    pruned = pruned_network(small, rows).network
    assert pruned.embeddings is small.embeddings
    for task, logits in small(inputs).items():
        np.testing.assert_allclose(pruned(inputs)[task], logits, atol=1e-5)

"""The forms of a network that are served share its tables, and nothing copies one to make them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.layers.field_embedding import SlotLayout  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import FieldRows, NetworkLayout  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

ROWS, WIDTH = 100_000, 64
# Few units, because pruning multiplies each row by each unit.
FEW_UNITS = {name: {"units": 4} for name in ("mssm", "snr_aver")}
TABLE_BYTES = 4 * ROWS * WIDTH


def network(name):
    """A network whose table has been trained, so that TensorFlow copies it if it is read whole."""
    layout = NetworkLayout(
        table_rows={WIDTH: ROWS},
        slots={
            "request": (SlotLayout(0, 1, WIDTH, 0),),
            "candidate": (SlotLayout(0, 1, WIDTH, 0),),
        },
        numbers={"request": 0, "candidate": 0},
        tasks={"click": "binary", "like": "binary"},
    )
    result = Network(
        layout, parse_settings({"name": name, **FEW_UNITS.get(name, {})}, {}), name="network"
    )
    ids = tf.zeros([2, 1], tf.int64)
    result({"request_ids": ids, "candidate_ids": ids})
    for table in result.embedding_tables:
        table.scatter_add(tf.IndexedSlices(tf.ones([1, WIDTH]), tf.constant([0])))
    return result


def pruned(trained):
    rows = FieldRows(np.arange(ROWS), is_list=False)
    return pruned_network(trained, [rows, rows]).network


@pytest.mark.parametrize(
    ("name", "served"),
    [
        pytest.param("mssm", pruned, marks=pytest.mark.slow),
        ("snr_aver", pruned),
        ("ple", half_precision_network),
        ("mssm", half_precision_network),
        ("asymmetric", half_precision_network),
    ],
)
def test_a_served_network_is_made_without_a_copy_of_a_table(name, served):
    trained = network(name)
    tracemalloc.start()
    try:
        result = served(trained)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Some blocks of rows in float64, whatever the size of the table.
    assert peak < 0.8 * TABLE_BYTES
    assert [id(one) for one in result.embeddings] == [id(one) for one in trained.embeddings]


def test_a_model_without_gates_is_left_as_it_is_without_reading_its_rows():
    trained = network("ple")
    rows = FieldRows(np.arange(ROWS), is_list=False)
    tracemalloc.start()
    try:
        assert pruned_network(trained, [rows, rows]) is None
        assert tracemalloc.get_traced_memory()[1] < 0.1 * TABLE_BYTES
    finally:
        tracemalloc.stop()

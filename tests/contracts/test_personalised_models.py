"""PEPNet around every model: what it starts as, and what every form of an export computes."""

from __future__ import annotations

import functools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from trainer.export.served_network import half_precision_network, pruned_network  # noqa: E402
from trainer.export.small_tables import with_small_tables  # noqa: E402
from trainer.layers.field_embedding import SlotLayout  # noqa: E402
from trainer.network.network import AssembledNetwork, Network  # noqa: E402
from trainer.network.network_layout import FieldRows, NetworkLayout  # noqa: E402
from trainer.pruning.pruned_sharing import can_be_pruned  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

ROWS = 7
LAYOUT = NetworkLayout(
    table_rows={4: 30, 2: 10},
    slots={
        "request": (SlotLayout(0, 1, 4, 0), SlotLayout(1, 1, 2, 0)),
        "candidate": (SlotLayout(0, 1, 4, 0), SlotLayout(1, 3, 4, 1)),
    },
    numbers={"request": 1, "candidate": 1},
    tasks={"click": "binary", "ratio": "regression"},
    # The order of the flattened input: by width, then lists, then numbers.
    names=("user", "tab", "age", "video", "tags", "price"),
)
GATES = {"domain": ["tab", "age"], "prior": ["user", "video", "tags"], "units": 5}
EVERY_MODEL = pytest.mark.parametrize("name", list(MODELS))


def batch():
    random = np.random.default_rng(0)
    return {
        "request_ids": tf.constant(
            np.stack([random.integers(0, 30, ROWS), random.integers(0, 10, ROWS)], axis=1)
        ),
        "request_numbers": tf.constant(random.normal(size=(ROWS, 1)).astype("f4")),
        "candidate_ids": tf.constant(random.integers(0, 30, (ROWS, 4))),
        "candidate_numbers": tf.constant(random.normal(size=(ROWS, 1)).astype("f4")),
    }


@functools.cache
def drawn(name):
    """A network of a model whose weights are all drawn, which tests share and leave as it is."""
    return made(name, seed=1)


def made(name, gates=GATES, seed=None):
    tf.keras.utils.set_random_seed(3)
    settings = parse_settings({"name": name, "tower_units": [6, 4], "personalise": gates}, {})
    network = Network(LAYOUT, settings)
    network(batch())
    if seed is not None:
        random = np.random.default_rng(seed)
        for variable in network.trainable_variables:
            variable.assign(0.5 * random.normal(size=variable.shape))
    return network


def without_gates(network):
    return AssembledNetwork(
        LAYOUT,
        network.embeddings,
        network.sharing,
        network.towers,
        network.attentions,
        task_tables=network.task_tables,
    )


def one_request():
    return {
        name: values[:1] if name.startswith("request") else values
        for name, values in batch().items()
    }


def its_rows():
    return {
        name: tf.repeat(values[:1], ROWS, axis=0) if name.startswith("request") else values
        for name, values in batch().items()
    }


def assert_alike(one, other, atol=1e-5):
    for task, logits in one.items():
        np.testing.assert_allclose(logits, other[task], rtol=1e-5, atol=atol)


@EVERY_MODEL
def test_a_personalised_model_starts_as_the_model_alone(name):
    network = made(name)
    alone = without_gates(network)
    for task, logits in alone(batch()).items():
        np.testing.assert_array_equal(network(batch())[task], logits)


@EVERY_MODEL
def test_gates_change_the_scores_and_a_request_scores_as_its_rows(name):
    network = drawn(name)
    rows = network(its_rows())
    # In a graph, as in an export, where TensorFlow fuses operations.
    in_a_graph = tf.function(lambda features: network(features, one_request=True), autograph=False)
    assert_alike(in_a_graph(one_request()), rows)
    alone = without_gates(network)
    assert not np.allclose(alone(its_rows())["click"], rows["click"])


@EVERY_MODEL
def test_gates_get_a_gradient(name):
    network = drawn(name)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(tf.square(one)) for one in network(batch()).values()])
    variables = [variable for gates in network.gates for variable in gates.trainable_variables]
    assert len(variables) == 10 * len(network.attentions)
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.any(gradient), variable.name


@pytest.mark.parametrize("name", ["ple", "mssm", "single_task"])
def test_half_precision_and_small_tables_keep_the_gates(name):
    network = drawn(name)
    exact = network(batch())
    half = half_precision_network(network)(batch())
    small = with_small_tables(network, "float16")(batch())
    for task, logits in exact.items():
        size = max(1.0, float(np.abs(logits).max()))
        assert 0.0 < np.abs(half[task] - logits).max() < 0.1 * size
        assert 0.0 < np.abs(small[task] - logits).max() < 0.01 * size


@pytest.mark.parametrize("name", ["mssm", "snr_trans", "snr_aver"])
@pytest.mark.parametrize("gates", [GATES, {"prior": ["user"]}], ids=["both", "prior only"])
def test_a_pruned_export_keeps_what_the_gates_read(name, gates):
    network = made(name, gates, seed=2)
    for variable in network.trainable_variables:
        if "log_alpha" in variable.name:
            # σ(±20) stretches to 1 and to exactly 0.
            variable.assign(np.where(np.arange(tf.size(variable)) % 3, -20.0, 20.0).reshape(variable.shape))  # fmt: skip
        if "query" in variable.name:
            # All sub-networks mask the user, whose embeddings are positive.
            variable.assign(np.where(np.arange(16) < 2, -1.0, variable.numpy()))
    table = network.embeddings[0].tables["2"]
    table.assign(np.abs(table))
    rows = [
        FieldRows(None if size is None else np.arange(size), is_list)
        for size, is_list in ((10, False), (30, False), (None, False), (30, False), (30, True), (None, False))
    ]  # fmt: skip
    assert can_be_pruned(network.sharing)
    pruned = pruned_network(network, rows)
    assert_alike(pruned.network(its_rows()), network(its_rows()), atol=2e-5)
    assert_alike(pruned.network(one_request(), one_request=True), network(its_rows()), atol=2e-5)
    count = pruned.multiplications
    assert count.remaining.candidate < count.all_open.candidate
    assert pruned.network.layout.names == LAYOUT.names


def test_tasks_with_tables_of_their_own_have_gates_of_their_own():
    network = made("single_task")
    assert len(network.gates) == 2
    assert [len(gates.towers) for gates in network.gates] == [1, 1]


def test_a_field_that_the_input_lacks_is_refused_with_the_closest_name():
    settings = parse_settings({"personalise": {"prior": ["vide"]}}, {})
    with pytest.raises(ValueError, match="no field 'vide': did you mean 'video'"):
        Network(LAYOUT, settings)


def test_names_follow_the_fields_that_are_left():
    layout = LAYOUT.with_fields({1, 4})
    assert layout.names == ("tab", "age", "tags", "price")
    # The columns are those of tab (4), age (1), tags (4) and price (1).
    assert layout.columns_of(["tags", "tab"]) == [0, 1, 2, 3, 5, 6, 7, 8]

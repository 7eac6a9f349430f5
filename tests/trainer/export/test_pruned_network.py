"""The pruned network: scores of the whole one, by fewer multiplications."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.artifacts.inspection import Multiplications  # noqa: E402
from trainer.export.served_network import pruned_network  # noqa: E402
from trainer.layers.field_embedding import flat_order  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import FieldRows  # noqa: E402
from trainer.pruning.pruned_sharing import prune  # noqa: E402
from trainer.pruning.value_bounds import InputFields  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402

pytestmark = pytest.mark.tensorflow

GATED = {
    "mssm": {"name": "mssm", "units": 6},
    "mssm with the masks of the paper": {"name": "mssm", "units": 6, "masks": "paper"},
    "mssm without field sparsity": {"name": "mssm", "units": 6, "field_sparsity": False},
    "mssm without cell sparsity": {"name": "mssm", "units": 6, "cell_sparsity": False},
    "mssm without both": {
        "name": "mssm",
        "units": 6,
        "field_sparsity": False,
        "cell_sparsity": False,
    },
    "snr_trans": {"name": "snr_trans", "units": 6, "subnetworks": 3},
    "snr_trans of 3 levels": {"name": "snr_trans", "units": 6, "subnetworks": 3, "levels": 3},
    "dselect_k": {"name": "dselect_k", "units": 6, "experts": 6},
    "snr_aver of 2 levels": {"name": "snr_aver", "units": 6, "subnetworks": 3, "levels": 2},
}
EVERY_GATED_MODEL = pytest.mark.parametrize("settings", GATED.values(), ids=GATED)


def every_row(layout):
    """As field rows, all rows of the table that a field reads."""
    result = []
    for side in ("request", "candidate"):
        slots = flat_order(layout.slots[side])
        result += [
            FieldRows(np.arange(layout.table_rows[slot.width]), slot.length > 1) for slot in slots
        ]
        result += [FieldRows(None, is_list=False)] * layout.numbers[side]
    return result + [FieldRows(None, is_list=False)] * len(layout.attentions)


def trained(layout, features, settings, tasks=2, open_share=0.3, seed=0):
    """A network with random weights and gates, of which `open_share` are open."""
    tf.keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    layout = dataclasses.replace(
        layout, tasks={f"task_{number}": "binary" for number in range(tasks)}
    )
    network = Network(layout, parse_settings({"tower_units": [5], **settings}, {}), name="network")
    network(features)
    for variable in network.weights:
        if "log_alpha" in variable.name:
            # σ(0.5) and σ(−20) stretch to .65 and to exactly 0.
            variable.assign(np.where(random.random(variable.shape) < open_share, 0.5, -20.0))
        elif "selection_codes" in variable.name:
            # Every code has a share at 0, and only one at ±1.
            choice = np.sign(random.normal(size=variable.shape))
            variable.assign(np.zeros(variable.shape) if open_share == 1.0 else choice)
        else:
            drawn = 0.5 * random.normal(size=variable.shape)
            # A bias below 0 could mask a field for all its values.
            variable.assign(np.abs(drawn) if "mask_bias" in variable.name else drawn)
    return network


def assert_scores_alike(whole, pruned, features, **how):
    for name, expected in whole(features, **how).items():
        logits = pruned(features, **how)[name]
        assert logits.shape == expected.shape
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=2e-5)


@pytest.fixture(scope="module")
def batch(features):
    return {name: tf.constant(values) for name, values in features.items()}


@EVERY_GATED_MODEL
@pytest.mark.parametrize(
    ("open_share", "tasks"), [(0.0, 2), (0.1, 2), (0.25, 1), (0.5, 5), (1.0, 2)]
)
def test_scores_are_those_of_the_whole_network(settings, open_share, tasks, layout, batch):
    whole = trained(layout, batch, settings, tasks, open_share, seed=3)
    pruned, multiplications = pruned_network(whole, every_row(layout))
    assert_scores_alike(whole, pruned, batch)
    assert multiplications.remaining.candidate <= multiplications.all_open.candidate
    assert (multiplications.remaining == multiplications.all_open) == (open_share == 1.0)


@EVERY_GATED_MODEL
def test_candidates_of_one_request_score_as_rows_do(settings, layout, batch):
    whole = trained(layout, batch, settings)
    pruned, _ = pruned_network(whole, every_row(layout))
    request = {name: values[:1] for name, values in batch.items() if name.startswith("request")}
    assert_scores_alike(whole, pruned, {**batch, **request}, one_request=True)


def without_bias(network, fields):
    """Set the biases of the masks of some fields to 0 and return the queries."""
    fscm = network.sharing.subnetworks
    bias = fscm.mask_bias.numpy()
    bias[:, fields] = 0.0
    fscm.mask_bias.assign(bias)
    return fscm.query.numpy()


@pytest.mark.parametrize("closed", ["own", "shared"])
def test_a_sub_network_that_nothing_reads_is_not_computed(closed, layout, batch):
    whole = trained(layout, batch, GATED["mssm"], open_share=1.0)
    place = ["own", "shared"].index(closed)
    gate = whole.sharing.connection.task_gate.log_alpha
    gate.assign(np.where(np.arange(2)[:, np.newaxis] == place, -20.0, gate.numpy()))
    pruned, _ = pruned_network(whole, every_row(layout))
    # There are an own one of each of two tasks and a shared one.
    assert len(pruned.sharing.first.kernels) == {"own": 1, "shared": 2}[closed]
    assert_scores_alike(whole, pruned, batch)


def test_an_expert_that_no_task_selects_is_not_computed(layout, batch):
    whole = trained(layout, batch, GATED["dselect_k"])
    # 000 and 001, 001 twice: experts 1 and 2 of 6.
    codes = np.full((2, 2, 3), -1.0)
    codes[0, 1, 2] = codes[1, :, 2] = 1.0
    whole.sharing.gate.codes.assign(codes)
    pruned, multiplications = pruned_network(whole, every_row(layout))
    assert pruned.sharing.first.sizes == [6, 6]
    assert len(pruned.sharing.connections[0].kernels) == 3
    # The first level has 6 · 6 units before and 2 · 6 after; the input's request side has 7 columns.
    assert multiplications.all_open.request == 7 * 36
    assert multiplications.remaining.request == 7 * 12
    assert_scores_alike(whole, pruned, batch)


def test_a_field_that_all_its_values_mask_is_not_looked_up(layout, batch):
    whole = trained(layout, batch, GATED["mssm"], open_share=1.0)
    table = whole.embeddings[0].tables["4"]
    table.assign(np.abs(table))
    query = without_bias(whole, [1, 4])
    # Fields: request of widths 2 and 4, number; candidate of width 4 and a list of width 4, number.
    # No row of positive numbers scores above 0 with a negative query, nor does a mean of them.
    query[:, 2:6] = query[:, 11:15] = -1.0
    # One of three sub-networks does not mask the list.
    query[1, 11:15] = 1.0
    whole.sharing.subnetworks.query.assign(query)
    pruned, _ = pruned_network(whole, every_row(layout))
    assert pruned.sharing.fields == [0, 2, 3, 4, 5]
    assert [len(pruned.layout.slots[side]) for side in ("request", "candidate")] == [1, 2]
    assert [len(fields) for fields in pruned.sharing.first.open_fields] == [4, 5, 4]
    assert_scores_alike(whole, pruned, batch)


def test_a_bias_below_what_any_value_adds_masks_the_field(layout, batch):
    whole = trained(layout, batch, GATED["mssm"], open_share=1.0)
    table = whole.embeddings[0].tables["4"].numpy()
    fscm = whole.sharing.subnetworks
    query, bias = fscm.query.numpy(), fscm.mask_bias.numpy()
    # The request's second field, columns 2 to 5; every row of its table can be its value.
    highest = (table @ query[:, 2:6].T).max(axis=0)
    bias[:, 1] = -highest - [0.01, 0.01, -0.01]
    fscm.mask_bias.assign(bias)
    pruned, _ = pruned_network(whole, every_row(layout))
    # Positions among the fields: the third sub-network still reads one value.
    assert [1 in fields for fields in pruned.sharing.first.open_fields] == [False, False, True]
    assert_scores_alike(whole, pruned, batch)


def test_one_value_that_is_read_keeps_its_field(layout, batch):
    whole = trained(layout, batch, GATED["mssm"], open_share=1.0)
    table, query = whole.embeddings[0].tables["4"], without_bias(whole, [1])
    rows = np.abs(table)
    rows[7] = [-1e-3, 0.0, 0.0, 0.0]
    table.assign(rows)
    query[:, 2:6] = -1.0
    whole.sharing.subnetworks.query.assign(query)
    rows = every_row(layout)
    assert 1 in pruned_network(whole, rows).network.sharing.fields
    # If row 7 is another field's, nothing reads this one.
    rows[1] = FieldRows(np.delete(np.arange(30), 7), is_list=False)
    assert 1 not in pruned_network(whole, rows).network.sharing.fields


@pytest.mark.parametrize("name", ["mssm", "mssm without field sparsity", "snr_trans"])
def test_units_that_never_fire_are_not_computed(name, layout, batch):
    whole = trained(layout, batch, GATED[name], open_share=1.0)
    first = getattr(whole.sharing, "first", None) or whole.sharing.subnetworks
    kernel, bias = (
        (first.kernels[0], first.biases[0])
        if hasattr(first, "kernels")
        else (first.kernel, first.bias)
    )
    # Numbers can be anything, so only a unit that does not read them can be known to stay at 0.
    flat = (
        kernel.numpy().reshape(-1, 16, 6)
        if name == "mssm"
        else kernel.numpy().reshape(16, -1, 6).swapaxes(0, 1)
    )
    flat[0, [6, 15], :2] = 0.0
    kernel.assign((flat if name == "mssm" else flat.swapaxes(0, 1)).reshape(kernel.shape))
    low = np.ones(bias.shape)
    low[0, :2] = -50.0
    bias.assign(low)
    pruned, _ = pruned_network(whole, every_row(layout))
    left = pruned.sharing.first
    sizes = [kernel.shape[1] for kernel in left.kernels] if name == "mssm" else left.sizes
    # Two units of the first sub-network can only be below 0.
    assert sizes == [4, 6, 6]
    assert_scores_alike(whole, pruned, batch)


@EVERY_GATED_MODEL
@pytest.mark.parametrize("open_share", [0.0, 0.3])
def test_a_network_with_attention_is_pruned_and_scores_alike(
    settings, open_share, attended_layout, attended_features
):
    batch = {name: tf.constant(values) for name, values in attended_features.items()}
    whole = trained(attended_layout, batch, settings, open_share=open_share)
    pruned, multiplications = pruned_network(whole, every_row(attended_layout))
    assert_scores_alike(whole, pruned, batch)
    request = {name: values[:1] if "request" in name else values for name, values in batch.items()}
    assert_scores_alike(whole, pruned, request, one_request=True)
    before, after = multiplications.all_open, multiplications.remaining
    assert after.candidate < before.candidate


def test_attention_reads_a_field_that_the_rest_of_the_network_masks(
    attended_layout, attended_features
):
    batch = {name: tf.constant(values) for name, values in attended_features.items()}
    whole = trained(attended_layout, batch, GATED["mssm"], open_share=1.0)
    # Each sub-network masks the candidate's list, columns 11 to 14, for every row of its table.
    table = whole.embeddings[0].tables["4"]
    table.assign(np.abs(table))
    query = without_bias(whole, [4])
    query[:, 11:15] = -1.0
    whole.sharing.subnetworks.query.assign(query)
    pruned, _ = pruned_network(whole, every_row(attended_layout))
    [item] = pruned.layout.slots["candidate"]
    assert item == attended_layout.slots["candidate"][0]
    assert pruned.layout.looked_up["candidate"] == attended_layout.slots["candidate"]
    assert_scores_alike(whole, pruned, batch)


def test_the_multiplications_of_a_tiny_network(layout, batch):
    layout = dataclasses.replace(
        layout,
        slots={side: layout.slots[side][:1] for side in ("request", "candidate")},
        numbers={"request": 0, "candidate": 0},
        tasks={"click": "binary"},
    )
    settings = parse_settings({"name": "mssm", "units": 2, "tower_units": [3]}, {})
    whole = Network(layout, settings, name="network")
    whole(batch)
    # Cells of the own block: open, closed; the shared block is closed.
    whole.sharing.connection.task_gate.log_alpha.assign([[[20.0, -20.0], [-20.0, -20.0]]])
    # The request's field, columns 0–3, is masked, the candidate's is not, and both units can fire.
    table = whole.embeddings[0].tables["4"]
    table.assign(np.abs(table))
    without_bias(whole, [0])
    whole.sharing.subnetworks.query.assign([[-1.0] * 4 + [1.0] * 4] * 2)
    whole.sharing.subnetworks.bias.assign(np.ones((2, 2)))
    pruned, multiplications = pruned_network(whole, every_row(layout))
    # Two sub-networks multiply each column by a query, by its mask, and by two units: 2 · (1 + 1 +
    # 2) = 8; 4 columns a side: 32. Behind them two blocks of 2 × 2, 8, and a tower of 2 · 3 + 3 · 1
    # = 9.
    assert multiplications.all_open == Multiplications(request=32, candidate=32 + 8 + 9)
    # One sub-network over the candidate's 4 columns: 4 · (1 + 1 + 2) = 16; one cell, 2; a tower of
    # 1 · 3 + 3 · 1 = 6.
    assert multiplications.remaining == Multiplications(request=0, candidate=16 + 2 + 6)
    assert [kernel.shape for kernel in pruned.sharing.first.kernels] == [(4, 2)]
    assert_scores_alike(whole, pruned, batch)


def test_products_of_the_graph_are_as_small_as_what_is_open(layout, batch):
    whole = trained(layout, batch, GATED["mssm"], open_share=0.2)
    pruned, _ = pruned_network(whole, every_row(layout))

    kernels = [kernel for connection in pruned.sharing.connections for kernel in connection.kernels]
    open_cells = int(np.count_nonzero(whole.sharing.connection.task_gate.values()))
    # A cell is a column of a block.
    assert sum(kernel.shape[1] for kernel in kernels) == open_cells < 2 * 2 * 6
    fired = sum(kernel.shape[1] for kernel in pruned.sharing.first.kernels)
    # Both sides' products of the first level are one; towers have 5 hidden units and a logit each.
    graph = tf.function(pruned).get_concrete_function(batch).graph
    products = [
        operation.outputs[0].shape[-1]
        for operation in graph.get_operations()
        if operation.type == "MatMul"
    ]
    assert sum(products) == fired + open_cells + 2 * (5 + 1)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in {"mssm", "snr_aver", "snr_trans", "dselect_k"}]
)
def test_a_model_without_gates_is_served_as_it_is(name, layout):
    whole = Network(layout, parse_settings({"name": name}, {}))
    assert prune(whole.sharing, InputFields((), (), 0)) is None


@pytest.mark.parametrize("name", ["ple", "mssm"])
def test_a_network_of_numbers_only_trains_and_is_served(name, layout, tasks, features, tmp_path):
    from trainer.fit.fitting import fit
    from trainer.inputs.examples import Examples

    numbers_only = dataclasses.replace(
        layout, table_rows={}, slots={"request": (), "candidate": ()}
    )
    numbers = {key: value for key, value in features.items() if not key.endswith("_ids")}
    examples = Examples(numbers)
    settings = parse_settings({"name": name}, {"epochs": 1, "batch_size": 64})
    network = fit(numbers_only, tasks, settings, examples, examples, checkpoint_folder=tmp_path)
    served = pruned_network(network, every_row(numbers_only))
    if served is not None:
        assert_scores_alike(network, served.network, numbers)

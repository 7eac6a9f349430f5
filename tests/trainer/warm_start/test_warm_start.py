"""A network begins with what another has learnt, value by value."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
import tensorflow_recommenders as tfrs  # noqa: E402

from feature_spec.loading import parse_spec  # noqa: E402
from feature_spec.names import EXPORTED_SPEC  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import network_layout  # noqa: E402
from trainer.network.vocabulary import Vocabulary  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402
from trainer.warm_start.embedding_remap import TableRows  # noqa: E402
from trainer.warm_start.optimizer_state import state_of  # noqa: E402
from trainer.warm_start.warm_start import begin_with  # noqa: E402
from trainer.warm_start.weight_store import (  # noqa: E402
    NoWeightsError,
    dense_weights,
    read_weights,
    save_weights,
)

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  user: {side: user, kind: categorical, width: 4}
  item: {side: item, kind: categorical, width: 4}
  price: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
  buy: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
# Rows 0 and 1 are the user's, 2 and 3 the item's (missing, OOV); the vocabulary begins at row 4.
BEFORE = ["item\x1fa", "user\x1fu", "item\x1fb"]
NOW = ["user\x1fv", "item\x1fb", "item\x1fa"]


def made(entries, name="ple", text=SPEC, width=4, **model):
    """A network with its variables, and what its rows stand for."""
    rows = TableRows(
        parse_spec(text),
        {f"vocabulary_{width}": Vocabulary.of_entries(map(str.encode, entries))},
    )
    settings = parse_settings({"name": name, "tower_units": [3], **model}, {})
    network = Network(
        network_layout(rows.spec, {f"vocabulary_{width}": len(entries)}), settings, name="network"
    )
    network({
        "request_ids": tf.zeros([2, 1], tf.int64), "candidate_ids": tf.zeros([2, 1], tf.int64), "candidate_numbers": tf.zeros([2, 1]),
    })  # fmt: skip
    return network, rows


@pytest.fixture
def saved(tmp_path):
    """Saves a network as a training by span does; returns the folder of its SavedModel."""

    def save(network, rows, text=SPEC, optimizer=None):
        model = tmp_path / "Format-Serving"
        (model / EXPORTED_SPEC).parent.mkdir(parents=True, exist_ok=True)
        (model / EXPORTED_SPEC).write_text(text, encoding="utf-8")
        save_weights(network, rows.vocabularies, str(model), optimizer)
        return str(model)

    return save


def test_rows_move_with_their_values_and_new_values_stay_as_they_were_drawn(saved):
    trained, before = made(BEFORE)
    network, now = made(NOW)
    [learnt], [drawn] = (
        [table.numpy() for table in one.embedding_tables] for one in (trained, network)
    )
    begin_with(read_weights(saved(trained, before)), network, now)
    [table] = [table.numpy() for table in network.embedding_tables]
    # Reserved rows; v, which is new; b, which was the third entry; a, which was the first.
    np.testing.assert_array_equal(
        table, np.concatenate([learnt[:4], drawn[4:5], learnt[6:7], learnt[4:5]])
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_that_begins_with_its_own_weights_is_the_same_model(name, saved):
    trained, before = made(BEFORE, name)
    network, now = made(BEFORE, name)
    begin_with(read_weights(saved(trained, before)), network, now)
    for one, other in zip(trained.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_masks_of_the_paper_say_which_setting_goes_on_with_them(saved, caplog):
    trained, before = made(BEFORE, "mssm", masks="paper")
    network, now = made(BEFORE, "mssm")
    weights = read_weights(saved(trained, before))
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(weights, network, now)
    hint = "(its masks are those of the paper: `model.masks: paper` goes on with them)"
    assert f"begins afresh: its layers have other sizes {hint}" in caplog.text
    # With that setting it goes on, and other sizes are other sizes.
    caplog.clear()
    again, now = made(BEFORE, "mssm", masks="paper")
    small, _ = made(BEFORE, "mssm", units=3)
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(weights, again, now)
        assert "afresh" not in caplog.text
        begin_with(weights, small, now)
    assert "its layers have other sizes" in caplog.text
    assert hint not in caplog.text


def test_experts_of_a_group_do_not_go_on_as_those_of_another_one(saved, caplog):
    groups = [["click"], ["buy"]]
    texts = [f"{SPEC}model: {{task_groups: {order}}}\n" for order in (groups, groups[::-1])]
    trained, before = made(BEFORE, text=texts[0], task_groups=groups)
    network, now = made(BEFORE, text=texts[1], task_groups=groups[::-1])
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(read_weights(saved(trained, before, texts[0])), network, now)
    assert "all but the tables begins afresh: tasks are grouped otherwise" in caplog.text


@pytest.mark.parametrize(
    ("settings", "text", "why"),
    [
        ({"name": "mmoe"}, SPEC, "the trained model is ple, not mmoe"),
        ({"expert_units": [7]}, SPEC, "its layers have other sizes"),
        ({}, SPEC.replace("price:", "length_s:"), "it reads other fields"),
        ({}, SPEC.replace("buy:", "share:"), "it has other tasks"),
        ({}, SPEC + "model: {personalise: {prior: [user]}}\n", "other fields gate it"),
    ],
)
def test_another_network_takes_over_the_tables_only_and_says_why(
    settings, text, why, saved, caplog
):
    trained, before = made(BEFORE)
    network, now = made(NOW, text=text, **settings)
    drawn = [variable.numpy() for variable in dense_weights(network)]
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(read_weights(saved(trained, before)), network, now)
    assert why in caplog.text
    for one, other in zip(drawn, dense_weights(network), strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    np.testing.assert_array_equal(
        network.embedding_tables[0].numpy()[6], trained.embedding_tables[0].numpy()[4]
    )


ATTENDED = SPEC.replace(
    "  price:",
    "  past: {side: user, kind: sequence, shares: item, max_length: 3, pooling: dot_product}\n  price:",
)


def attending(text=ATTENDED):
    """A network whose candidates attend to a list, and what its rows stand for."""
    rows = TableRows(
        parse_spec(text), {"vocabulary_4": Vocabulary.of_entries(map(str.encode, BEFORE))}
    )
    settings = parse_settings({"tower_units": [3]}, {})
    network = Network(network_layout(rows.spec, {"vocabulary_4": 3}), settings, name="network")
    network({
        "request_ids": tf.zeros([2, 4], tf.int64), "candidate_ids": tf.zeros([2, 1], tf.int64), "candidate_numbers": tf.zeros([2, 1]),
    })  # fmt: skip
    return network, rows


def test_attention_goes_on_with_its_weights(saved):
    (trained, before), (network, now) = attending(), attending()
    begin_with(read_weights(saved(trained, before, ATTENDED)), network, now)
    for one, other in zip(trained.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any("attention_0_past" in variable.name for variable in dense_weights(network))


@pytest.mark.parametrize("change", ["heads: 2", "heads: 1"])
def test_attention_with_other_heads_begins_afresh(change, saved, caplog):
    trained, before = attending()
    network, now = attending(ATTENDED.replace("pooling:", f"{change}, pooling:"))
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(read_weights(saved(trained, before, ATTENDED)), network, now)
    assert "it attends to histories otherwise" in caplog.text


def test_an_empty_vocabulary_survives_the_file(saved):
    [(file, vocabulary)] = read_weights(saved(*made([]))).rows.vocabularies.items()
    assert (file, list(vocabulary.blocks())) == ("vocabulary_4", [])


def test_a_model_without_weights_is_named(tmp_path):
    with pytest.raises(NoWeightsError, match=r"weights\.npz does not exist; runs by span write it"):
        read_weights(str(tmp_path / "Format-Serving"))


def test_a_model_with_a_spec_that_cannot_be_read_any_more_has_no_weights_to_begin_with(saved):
    with pytest.raises(NoWeightsError, match="the spec of the model cannot be read"):
        read_weights(saved(*made([]), text="name: tiny"))


def optimizer_of(network, table=None, dense=None):
    """An optimizer of tables and one of all other weights, with slots."""
    legacy = tf.keras.optimizers.legacy
    tables = network.embedding_tables
    others = [variable for variable in dense_weights(network) if variable.trainable]
    parts = [(table or legacy.Adagrad(0.1), tables), (dense or legacy.Adam(0.1), others)]
    for part, variables in parts:
        part._create_all_weights(variables)
    return tfrs.experimental.optimizers.CompositeOptimizer(
        [(part, lambda variables=variables: variables) for part, variables in parts]
    )


def trained_optimizer(network, **parts):
    """An optimizer whose state is random, as after 7 steps."""
    random = np.random.default_rng(0)
    optimizer = optimizer_of(network, **parts)
    for part in optimizer.optimizers:
        part.iterations.assign(7)
    for variable in network.trainable_variables:
        for name, kept in state_of(optimizer, variable).items():
            if not name.endswith("iterations"):
                kept.assign(random.normal(size=kept.shape))
    return optimizer


OF_TABLES = {
    "Adagrad": lambda: tf.keras.optimizers.legacy.Adagrad(0.1),
    "Adam": lambda: tf.keras.optimizers.legacy.Adam(0.1),
    "Ftrl": lambda: tf.keras.optimizers.legacy.Ftrl(0.1),
    "momentum": lambda: tf.keras.optimizers.legacy.SGD(0.1, momentum=0.9),
    "row-wise": lambda: RowWise(name="RowWise"),
}


class RowWise(tf.keras.optimizers.legacy.Adagrad):
    """Keeps one number for each row."""

    def _create_slots(self, var_list):
        for variable in var_list:
            self.add_slot(variable, "accumulator", "ones", shape=variable.shape[:1])


@pytest.mark.parametrize("kind", OF_TABLES)
def test_what_the_optimizer_keeps_for_a_row_moves_with_its_value(kind, saved):
    trained, before = made(BEFORE)
    network, now = made(NOW)
    optimizer = trained_optimizer(trained, table=OF_TABLES[kind]())
    later = optimizer_of(network, table=OF_TABLES[kind]())
    states = [
        state_of(opt, net.embedding_tables[0])
        for opt, net in ((optimizer, trained), (later, network))
    ]
    learnt, drawn = ({name: kept.numpy() for name, kept in one.items()} for one in states)
    begin_with(read_weights(saved(trained, before, optimizer=optimizer)), network, now, later)
    assert len(learnt) >= 2
    for name, kept in states[1].items():
        if name.endswith("iterations"):
            assert kept.numpy() == 7
        else:
            # Reserved rows; v, which is new; b, which was the third entry; a, which was the first.
            rows = [learnt[name][:4], drawn[name][4:5], learnt[name][6:7], learnt[name][4:5]]
            np.testing.assert_array_equal(kept.numpy(), np.concatenate(rows))


@pytest.mark.parametrize("name", list(MODELS))
def test_a_training_that_begins_with_its_own_weights_goes_on_as_it_was(name, saved):
    trained, before = made(BEFORE, name)
    network, now = made(BEFORE, name)
    optimizer, later = trained_optimizer(trained), optimizer_of(network)
    begin_with(read_weights(saved(trained, before, optimizer=optimizer)), network, now, later)
    for one, other in zip(optimizer.weights, later.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("before_kind", "kind", "why"),
    [
        ("Adagrad", "Adam", "keeps Adam/iterations, Adam/m, Adam/v, and kept Adagrad/accumulator"),
        ("row-wise", "Adagrad", "keeps Adagrad/accumulator"),
        (None, "Adagrad", "and kept nothing that was saved"),
    ],
)
def test_an_optimizer_of_another_kind_begins_afresh_and_says_so(
    before_kind, kind, why, saved, caplog
):
    trained, before = made(BEFORE)
    network, now = made(NOW)
    optimizer = trained_optimizer(trained, table=OF_TABLES[before_kind]()) if before_kind else None
    later = optimizer_of(network, table=OF_TABLES[kind]())
    fresh = [kept.numpy() for kept in state_of(later, network.embedding_tables[0]).values()]
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(read_weights(saved(trained, before, optimizer=optimizer)), network, now, later)
    assert "the optimizer of table" in caplog.text
    assert why in caplog.text
    for one, other in zip(
        fresh, state_of(later, network.embedding_tables[0]).values(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    # The weights are taken over all the same.
    learnt = trained.embedding_tables[0].numpy()
    np.testing.assert_array_equal(network.embedding_tables[0].numpy()[:4], learnt[:4])


def test_weights_that_an_earlier_version_saved_are_read(saved):
    trained, before = made(BEFORE)
    network, now = made(NOW)
    model = saved(trained, before)
    # As versions before wrote it: NumPy's own writer, no line end behind the last entry.
    text = b"\n".join(entry.encode() for entry in BEFORE)
    content = {"model": np.array("ple"), "table/0/4": trained.embedding_tables[0].numpy()}
    content |= {
        f"dense/{number:05d}": variable.numpy()
        for number, variable in enumerate(dense_weights(trained))
    }
    np.savez(
        Path(model).parent / "weights.npz",
        **{"vocabulary/vocabulary_4": np.frombuffer(text, np.uint8)},
        **content,
    )
    begin_with(read_weights(model), network, now)
    [learnt], [table] = trained.embedding_tables, network.embedding_tables
    np.testing.assert_array_equal(table.numpy()[5], learnt.numpy()[6])
    for one, other in zip(dense_weights(trained), dense_weights(network), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_variables_of_a_strategy_are_read_and_written(saved):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        trained, before = made(BEFORE)
        network, now = made(NOW)
        optimizer, later = trained_optimizer(trained), optimizer_of(network)
        model = saved(trained, before, optimizer=optimizer)
        begin_with(read_weights(model), network, now, later)
    [learnt], [table] = trained.embedding_tables, network.embedding_tables
    np.testing.assert_array_equal(table.numpy()[5], learnt.numpy()[6])
    kept = state_of(optimizer, learnt)["Adagrad/accumulator"].numpy()
    np.testing.assert_array_equal(state_of(later, table)["Adagrad/accumulator"].numpy()[5], kept[6])


def test_neither_saving_nor_beginning_holds_a_copy_of_a_table(saved):
    entries = [f"item\x1f{number}" for number in range(100_000)]
    text = SPEC.replace("width: 4", "width: 64")
    trained, before = made(entries, text=text, width=64)
    network, now = made(entries[::-1], text=text, width=64)
    optimizer, later = trained_optimizer(trained), optimizer_of(network)

    def peak_of(call):
        tracemalloc.start()
        try:
            return call(), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    table_bytes = 4 * 64 * 100_000
    model, saving = peak_of(lambda: saved(trained, before, text, optimizer))
    _, beginning = peak_of(lambda: begin_with(read_weights(model), network, now, later))
    assert saving < 0.8 * table_bytes
    assert beginning < 0.8 * table_bytes


def test_a_regression_of_quantiles_begins_afresh_where_labels_had_their_own_unit(saved, caplog):
    seconds = SPEC.replace(
        "  buy: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.5",
        "  watch: {kind: regression, label: {rule: column, column: b}, metric: mse, threshold: 9.0",
    )
    quantiles = seconds.replace("metric: mse,", "metric: mse, quantile_within: item,")
    trained, before = made(BEFORE, text=seconds)
    trained.towers[1].mean.assign(60.0)
    weights = read_weights(saved(trained, before, seconds))
    network, now = made(BEFORE, text=quantiles)
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(weights, network, now)
    assert "begins afresh: labels are quantiles ('quantile_within') of other tasks" in caplog.text
    assert network.towers[1].mean.numpy() == 0.0
    again, rows = made(BEFORE, text=seconds)
    begin_with(weights, again, rows)
    assert again.towers[1].mean.numpy() == 60.0


def test_tables_of_tasks_move_with_their_values_unless_other_tasks_own_them(saved, caplog):
    trained, before = made(BEFORE, "stem", task_width=2)
    network, now = made(NOW, "stem", task_width=2)
    begin_with(read_weights(saved(trained, before)), network, now)
    learnt, table = (one.embeddings[1].tables["4"].numpy() for one in (trained, network))
    # a was the first entry and is the last.
    np.testing.assert_array_equal(table[6], learnt[4])
    for text, width, why in (
        (SPEC.replace("buy:", "share:"), 2, "begins afresh: it has other tasks"),
        (SPEC, 3, "begins afresh: it has 6 columns, and had 4"),
    ):
        network, now = made(NOW, "stem", text, task_width=width)
        drawn = network.embeddings[1].tables["4"].numpy()
        with caplog.at_level("INFO", logger="fulcrum.trainer"):
            begin_with(read_weights(saved(trained, before)), network, now)
        assert why in caplog.text
        np.testing.assert_array_equal(network.embeddings[1].tables["4"], drawn)
        np.testing.assert_array_equal(
            network.embeddings[0].tables["4"].numpy()[6],
            trained.embeddings[0].tables["4"].numpy()[4],
        )


def test_a_head_keeps_its_cuts_and_begins_afresh_with_others(saved, caplog):
    from trainer.layers.distribution_towers import Labels

    learnt = SPEC.replace(
        "  buy: {kind: binary, label: {rule: event, column: b}, metric: auc, threshold: 0.5",
        "  watch: {kind: regression, label: {rule: column, column: b}, metric: mse, threshold: 9.0, "
        "head: ordinal, cuts: 3",
    )
    given = learnt.replace("cuts: 3", "cuts: [0, 2, 4, 86400001]")
    trained, before = made(BEFORE, text=learnt)
    trained.heads["watch"].learn(Labels(np.array([0.0, 10.0, 20.0, 30.0]), np.ones(4)))
    weights = read_weights(saved(trained, before, learnt))
    network, now = made(BEFORE, text=learnt)
    begin_with(weights, network, now)
    cuts = network.heads["watch"].cuts.numpy()
    assert cuts.tolist() == trained.heads["watch"].cuts.numpy().tolist()
    assert cuts[[0, -1]].tolist() == [0.0, 30.0]
    other, rows = made(BEFORE, text=given)
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        begin_with(weights, other, rows)
    assert "begins afresh: heads predict otherwise how labels are distributed" in caplog.text
    assert other.heads["watch"].cuts.numpy().tolist() != cuts.tolist()
    before_it, rows_before = made(BEFORE, text=given)
    weights = read_weights(saved(before_it, rows_before, given))
    caplog.clear()
    with caplog.at_level("INFO", logger="fulcrum.trainer"):
        # Six digits are alike.
        begin_with(weights, *made(BEFORE, text=given.replace("86400001", "86400080")))
    assert "heads predict otherwise" in caplog.text

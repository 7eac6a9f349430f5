"""A network begins with what another has learnt, value by value."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.loading import parse_spec  # noqa: E402
from feature_spec.names import EXPORTED_SPEC  # noqa: E402
from trainer.network.network import Network  # noqa: E402
from trainer.network.network_layout import network_layout  # noqa: E402
from trainer.settings.model_config import MODELS  # noqa: E402
from trainer.settings.train_config import parse_settings  # noqa: E402
from trainer.warm_start.embedding_remap import TableRows  # noqa: E402
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


def made(entries, name="ple", text=SPEC, **model):
    """A network with its variables, and what its rows stand for."""
    rows = TableRows(parse_spec(text), {"vocabulary_4": [entry.encode() for entry in entries]})
    settings = parse_settings({"name": name, "tower_units": [3], **model}, {})
    network = Network(
        network_layout(rows.spec, {"vocabulary_4": len(entries)}), settings, name="network"
    )
    network({
        "request_ids": tf.zeros([2, 1], tf.int64), "candidate_ids": tf.zeros([2, 1], tf.int64), "candidate_numbers": tf.zeros([2, 1]),
    })  # fmt: skip
    return network, rows


@pytest.fixture
def saved(tmp_path):
    """Saves a network as a training by span does; returns the folder of its SavedModel."""

    def save(network, rows, text=SPEC):
        model = tmp_path / "Format-Serving"
        (model / EXPORTED_SPEC).parent.mkdir(parents=True, exist_ok=True)
        (model / EXPORTED_SPEC).write_text(text, encoding="utf-8")
        save_weights(network, rows.vocabularies, str(model))
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


@pytest.mark.parametrize(
    ("settings", "text", "why"),
    [
        ({"name": "mmoe"}, SPEC, "the trained model is ple, not mmoe"),
        ({"expert_units": [7]}, SPEC, "its layers have other sizes"),
        ({}, SPEC.replace("price:", "length_s:"), "it reads other fields"),
        ({}, SPEC.replace("buy:", "share:"), "it has other tasks"),
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


def test_an_empty_vocabulary_survives_the_file(saved):
    assert read_weights(saved(*made([]))).rows.vocabularies == {"vocabulary_4": []}


def test_a_model_without_weights_is_named(tmp_path):
    with pytest.raises(NoWeightsError, match=r"weights\.npz does not exist; runs by span write it"):
        read_weights(str(tmp_path / "Format-Serving"))


def test_a_model_with_a_spec_that_cannot_be_read_any_more_has_no_weights_to_begin_with(saved):
    with pytest.raises(NoWeightsError, match="the spec of the model cannot be read"):
        read_weights(saved(*made([]), text="name: tiny"))

"""What each candidate attends to, as the page shows it."""

from __future__ import annotations

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from serving.client.types import Candidate, RankingRequest

pytestmark = pytest.mark.tensorflow

SPEC = """
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
keys: {event_time: {column: t, unit: s}}
histories:
  known_after_s: 60
  sequences:
    clicked: {by: user, fields: [item], max_length: 3}
    seen: {by: user, fields: [item], pooling: mean}
fields:
  user: {side: user, kind: categorical}
  liked: {side: user, kind: sequence, shares: item, pooling: activation_unit}
  item: {side: item, kind: categorical}
  price: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {click: 1.0}}
"""
REQUEST = RankingRequest(
    user={
        "liked": ["x", "y"],
        "clicked_item": ["a", None, "c"],
        "clicked_age": ["1", "3", "5"],
        "seen_item": ["q"],
    },
    candidates=[Candidate(fields={"item": "a", "price": 2.0}), Candidate(fields={"item": "b"})],
)


class Model:
    """In the place of a loaded version: weights as given, and the examples that it was asked about."""

    def __init__(self, weights):
        self.weights = weights
        self.examples = []

    def runnable(self, name):
        return name == "inspect"

    def run(self, signature, inputs, outputs, timeout_s):
        import tensorflow as tf

        self.examples = [
            tf.train.Example.FromString(text) for text in tf.make_ndarray(inputs["examples"])
        ]
        return [self.weights[output] for output in outputs]


@pytest.fixture
def model():
    return Model(
        {
            "attention/liked": np.array([[0.5, -2.0, 0.0], [0.0, 0.0, 0.0]], "f4"),
            "attention/clicked": np.array([[0.25, 0.125, 0.625], [1.0, 0.0, 0.0]], "f4"),
        }
    )


def test_the_heaviest_entries_of_each_history_come_with_their_values(model):
    from serving.ui.attended_past import attended_past

    first, second = attended_past(parse_spec(SPEC), model, REQUEST)
    liked, clicked = first
    # An activation unit's weights count by their size; ages are powers of two of a second.
    assert liked == {
        "name": "liked",
        "columns": ["liked"],
        "entries": [{"weight": -2.0, "row": ["y"]}, {"weight": 0.5, "row": ["x"]}],
    }
    assert (clicked["name"], clicked["columns"]) == ("clicked", ["item", "age"])
    assert [(entry["weight"], entry["row"][0]) for entry in clicked["entries"]] == [
        (0.625, "c"), (0.25, "a"), (0.125, ""),
    ]  # fmt: skip
    # Entries without weight are not shown, nor are histories without entries.
    assert [(one["name"], len(one["entries"])) for one in second] == [("clicked", 1)]


def test_the_model_is_asked_about_an_exposure_of_each_candidate(model):
    from serving.ui.attended_past import attended_past

    attended_past(parse_spec(SPEC), model, REQUEST)
    first, second = model.examples
    assert list(first.features.feature["item"].bytes_list.value) == [b"a"]
    assert list(first.features.feature["clicked_item"].bytes_list.value) == [b"a", b"", b"c"]
    assert list(first.features.feature["price"].float_list.value) == [2.0]
    assert np.isnan(second.features.feature["price"].float_list.value).all()


def test_a_version_without_attention_shows_nothing():
    from serving.ui.attended_past import attended_past

    spec = parse_spec(
        SPEC.replace("pooling: activation_unit", "max_length: 3").replace(
            "max_length: 3}\n    seen", "pooling: mean}\n    seen"
        )
    )
    assert attended_past(spec, Model({}), REQUEST) == [[], []]

"""Weights of lists in requests: their tensors, their mistakes, and logged requests read back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from serving.client.request_tensors import request_tensors
from serving.client.tensor_values import floats, shape_of
from serving.client.types import Candidate, RankingRequest
from serving.errors import InvalidRequestError

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  tags: {side: item, kind: multi_categorical, max_length: 3, weights: scores}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
""")


def request(*rows):
    return RankingRequest(
        candidates=[Candidate(fields={"tags": tags, "scores": scores}) for tags, scores in rows]
    )


def test_weights_are_padded_with_0_and_nan_where_missing():
    inputs = request_tensors(
        SPEC,
        request(
            (["a", "b"], [1, 2.5]),
            (["a", "b"], None),
            ("a,b,c,d", "4,3,2,1"),
            (["a", "", "c"], np.array([1.0, 2.0, 3.0])),
            ([], []),
            (["a", "b"], [1.0, 2.0, 0.0]),  # as examples have them
        ),
    )
    assert shape_of(inputs["scores"]) == [6, 3]
    np.testing.assert_array_equal(
        np.reshape(floats(inputs["scores"]), (6, 3)),
        [[1, 2.5, 0], [math.nan] * 3, [4, 3, 2], [1, 3, 0], [math.nan] * 3, [1, 2, 0]],
    )


@pytest.mark.parametrize(
    ("scores", "problem"),
    [
        ([1.0], "a list of 2 numbers is needed; received 1"),
        ([1.0, 2.0, 3.0], "a list of 2 numbers is needed; received 3"),
        ([1.0, -2.0], "value 2 of 2: a number of at least 0 is needed; received -2"),
        ([1.0, math.inf], "value 2 of 2: a finite number is needed; received inf"),
    ],
)
def test_a_mistake_names_its_candidate_and_list(scores, problem):
    with pytest.raises(InvalidRequestError) as refusal:
        request_tensors(SPEC, request((["a"], [1.0]), (["a", "b"], scores)))
    assert refusal.value.problems == [
        f"candidates[1].scores: weights of tags, which has 2 values: {problem}"
    ]


def test_drawn_requests_of_a_load_test_are_valid():
    from serving.loadtest.load_requests import random_requests

    for drawn in random_requests(SPEC, 20, [3], seed=1):
        assert shape_of(request_tensors(SPEC, drawn)["scores"]) == [3, 3]


@pytest.mark.tensorflow
def test_a_logged_request_gives_its_weights_back_and_can_be_sent_again():
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from serving.ui.logged_request import typed_request

    logged = PredictRequest()
    sent = request_tensors(SPEC, request((["a", "b"], [1, 2]), (["a"], None)))
    for name, tensor in sent.items():
        logged.inputs[name].ParseFromString(tensor.SerializeToString())
    again = request_tensors(SPEC, typed_request(SPEC, logged))
    np.testing.assert_array_equal(floats(again["scores"]), floats(sent["scores"]))


def test_a_side_table_fills_in_weights_of_its_own_values_only():
    from serving.client.side_tables import SideTables

    spec = parse_spec("""
name: tiny
logs:
  exposures: {path: x, format: jsonl}
  tables: {videos: {path: v, format: jsonl, key: video}}
split: {evaluation_files: [x]}
fields:
  video: {side: item, kind: categorical}
  tags: {side: item, kind: multi_categorical, table: videos, max_length: 3, weights: scores}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
""")
    tables = SideTables(spec, {"videos": {"v": {"tags": ["a", "b"], "scores": [3.0, 1.0, 0.0]}}})
    given = [{}, {"tags": ["c", "d"]}, {"tags": ["c"], "scores": [2.0]}, {"scores": [1.0, 1.0]}]
    filled = tables.filled(
        RankingRequest(candidates=[Candidate(fields={"video": "v", **own}) for own in given])
    )
    np.testing.assert_array_equal(
        np.reshape(floats(request_tensors(spec, filled)["scores"]), (4, 3)),
        [[3, 1, 0], [math.nan] * 3, [2, 0, 0], [1, 1, 0]],
    )

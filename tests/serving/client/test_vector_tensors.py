"""Vectors in requests: their tensors, their mistakes, and logged requests read back."""

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
  taste: {side: user, kind: vector, dimension: 2}
  look: {side: item, kind: vector, dimension: 3}
  place: {side: item, kind: categorical, training_only: {}}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
ranking_formula: {weights: {click: 1.0}}
""")


def request(*looks, **user):
    return RankingRequest(user=user, candidates=[Candidate(fields={"look": one}) for one in looks])


def test_vectors_become_rows_of_numbers_and_nan_where_missing():
    inputs = request_tensors(SPEC, request([1, 2.5, -3], None, np.zeros(3), [], "4,5,6"))
    assert shape_of(inputs["look"]) == [5, 3]
    np.testing.assert_array_equal(
        np.reshape(floats(inputs["look"]), (5, 3)),
        [[1.0, 2.5, -3.0], [math.nan] * 3, [0.0] * 3, [math.nan] * 3, [4.0, 5.0, 6.0]],
    )
    assert shape_of(inputs["taste"]) == [1, 2]
    assert all(map(math.isnan, floats(inputs["taste"])))


@pytest.mark.parametrize(
    ("look", "problem"),
    [
        ([1.0, 2.0], "candidates[1].look: a list of 3 numbers is needed; received 2"),
        (
            [1.0, math.nan, 0.0],
            "candidates[1].look: value 2 of 3: a finite number is needed; received nan",
        ),
    ],
)
def test_a_mistake_names_its_candidate_and_place(look, problem):
    with pytest.raises(InvalidRequestError) as refusal:
        request_tensors(SPEC, request([0, 0, 0], look))
    assert refusal.value.problems == [problem]


def test_a_field_that_only_training_has_is_no_part_of_a_request():
    inputs = request_tensors(SPEC, request([0, 0, 0]))
    assert "place" not in inputs
    given = RankingRequest(candidates=[Candidate(fields={"place": "3"})])
    with pytest.raises(InvalidRequestError) as refusal:
        request_tensors(SPEC, given)
    assert refusal.value.problems == [
        "candidates[0].place: only training has this field; leave it out"
    ]


def test_drawn_requests_of_a_load_test_are_valid():
    from serving.loadtest.load_requests import random_requests

    for drawn in random_requests(SPEC.served, 20, [3], seed=1):
        assert shape_of(request_tensors(SPEC, drawn)["look"]) == [3, 3]


@pytest.mark.tensorflow
def test_a_logged_request_gives_its_vectors_back():
    tf = pytest.importorskip("tensorflow")
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from serving.ui.logged_request import typed_request

    logged = PredictRequest()
    for name, tensor in request_tensors(SPEC, request([1, 2, 3], None, taste=[0.5, 4])).items():
        logged.inputs[name].ParseFromString(tensor.SerializeToString())
    read = typed_request(SPEC.served, logged)
    assert read.user == {"taste": [0.5, 4.0]}
    assert [one.fields["look"] for one in read.candidates] == [[1.0, 2.0, 3.0], None]
    logged.inputs["look"].CopyFrom(tf.make_tensor_proto(["a"]))
    with pytest.raises(ValueError, match="look: not a item field's"):
        typed_request(SPEC.served, logged)

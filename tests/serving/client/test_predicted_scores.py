"""The scores of an answer: of each task, and joint probabilities of chains."""

from __future__ import annotations

import pytest

from feature_spec.loading import parse_spec
from serving.client.predicted_scores import ranked_list
from serving.client.types import Candidate, RankingRequest
from serving.tf_serving_api import DT_FLOAT, PredictResponse, TensorProto

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  quality: {side: item, kind: numeric}
tasks:
  click: {kind: binary, label: {rule: event, column: c}, metric: auc}
  buy: {kind: binary, label: {rule: event, column: b}, metric: auc, given: click}
ranking_formula: {weights: {joint_of_buy: 1.0}}
""")
REQUEST = RankingRequest(candidates=[Candidate(id=name, fields={}) for name in "ab"])


def answer(**outputs):
    response = PredictResponse()
    for name, values in outputs.items():
        tensor = TensorProto(dtype=DT_FLOAT, float_val=values)
        tensor.tensor_shape.dim.add(size=len(values))
        response.outputs[name].CopyFrom(tensor)
    return response


def test_joint_probabilities_stand_behind_the_tasks():
    given = answer(
        click=[0.5, 0.25],
        buy=[0.5, 0.75],
        joint_of_buy=[0.25, 0.1875],
        ranking_score=[0.25, 0.1875],
    )
    first, second = ranked_list(SPEC, REQUEST, [given], [2])
    assert first.scores == {"click": 0.5, "buy": 0.5, "joint_of_buy": 0.25}
    assert list(second.scores) == ["click", "buy", "joint_of_buy"]


def test_a_model_without_joint_probabilities_is_ranked_by_what_it_has():
    older = answer(click=[0.5, 0.25], buy=[0.5, 0.75], ranking_score=[0.25, 0.1875])
    first, _ = ranked_list(SPEC, REQUEST, [older], [2])
    assert first.scores == {"click": 0.5, "buy": 0.5}


def test_a_task_without_a_score_is_refused():
    from serving.errors import UnusableModelError

    with pytest.raises(UnusableModelError, match="gave no 'buy'"):
        ranked_list(SPEC, REQUEST, [answer(click=[0.5, 0.25], ranking_score=[1, 2])], [2])

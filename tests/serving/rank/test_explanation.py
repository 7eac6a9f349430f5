"""A ranking score taken apart, by hand."""

from __future__ import annotations

import math

import pytest

from serving.client.types import Candidate, RankedCandidate
from serving.rank.rank_report import explain


def ranked(fields, ranking_score):
    return RankedCandidate(
        candidate=Candidate(fields=fields),
        position=0,
        rank=1,
        scores={"click": 0.5, "like": 0.25},
        ranking_score=ranking_score,
    )


def test_factors_multiply_to_the_ranking_score(toy_spec):
    # 0.5^1 · 0.25^0.5 · log1p(10 · (e - 1) / 10)^2 = 0.5 · 0.5 · 1
    explanation = explain(toy_spec, ranked({"duration_s": 10 * (math.e - 1)}, 0.25), {})
    assert [(term.name, term.weight) for term in explanation.terms] == [
        ("click", 1.0),
        ("like", 0.5),
        ("duration", 2.0),
    ]
    assert [term.factor for term in explanation.terms] == pytest.approx([0.5, 0.5, 1.0])
    assert [term.log_factor for term in explanation.terms] == pytest.approx(
        [math.log(0.5), 0.5 * math.log(0.25), 0.0]
    )
    assert explanation.product == pytest.approx(0.25)
    assert explanation.agrees


def test_weights_in_force_replace_the_specs(toy_spec):
    # 0.5^2 · 0.25^0.5 · 1
    explanation = explain(toy_spec, ranked({}, 0.125), {"click": 2.0})
    assert explanation.product == pytest.approx(0.125)
    assert explanation.agrees


@pytest.mark.parametrize("duration", [None, "unknown"])
def test_a_missing_duration_is_a_factor_of_one(toy_spec, duration):
    term = explain(toy_spec, ranked({"duration_s": duration}, 0.25), {}).terms[-1]
    assert (term.name, term.value, term.factor) == ("duration", None, 1.0)


def test_a_ranking_score_by_another_formula_is_noticed(toy_spec):
    assert not explain(toy_spec, ranked({}, 0.26), {}).agrees

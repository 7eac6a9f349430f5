"""A ranking score taken apart, by hand."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from serving.client.types import Candidate, RankedCandidate, RankedList
from serving.rank.rank_report import explain, ranking_table, report


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


@pytest.mark.parametrize(
    ("weights", "score"), [({"click": 200.0}, 0.0), ({"click": -200.0}, 3.4e38), ({}, 0.25)]
)
def test_a_ranking_score_beyond_single_precision_agrees_by_its_logarithm(toy_spec, weights, score):
    # log 0.5^w + 0.5 · log 0.25
    log_score = weights.get("click", 1.0) * math.log(0.5) + 0.5 * math.log(0.25)
    one = ranked({}, score)
    assert explain(toy_spec, replace(one, log_ranking_score=log_score), weights).agrees
    assert not explain(toy_spec, replace(one, log_ranking_score=log_score + 0.1), weights).agrees


def test_a_ranking_score_beyond_single_precision_is_shown_as_a_power(toy_spec):
    one = replace(ranked({}, 0.0), log_ranking_score=-138.629)
    list_of_one = RankedList(candidates=(one,), model_name="toy", model_version=1)
    console = Console(width=100, file=io.StringIO())
    console.print(ranking_table(list_of_one))
    assert "e^-138.6" in console.file.getvalue()
    assert report(list_of_one)["ranking"][0]["log_ranking_score"] == -138.629


def test_small_probabilities_count_as_they_are(toy_spec):
    """They are not cut at a millionth, as the numbers of regression tasks are."""
    one = replace(ranked({}, 0.0), scores={"click": 1e-20, "like": 1.0})
    assert explain(toy_spec, one, {}).terms[0].log_factor == pytest.approx(math.log(1e-20))


def test_a_ranking_score_by_another_formula_is_noticed(toy_spec):
    assert not explain(toy_spec, ranked({}, 0.26), {}).agrees


def test_a_candidate_is_named_by_its_id_and_its_text_for_people():
    from dataclasses import replace

    from serving.rank.rank_report import candidate_label

    named = replace(ranked({}, 0.1), candidate=Candidate(fields={}, id="v1", display="Alien [cut]"))
    assert candidate_label(named) == "v1 Alien \\[cut]"  # no markup of rich
    assert candidate_label(ranked({}, 0.1)) == "candidates[0]"

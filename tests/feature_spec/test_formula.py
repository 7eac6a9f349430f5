"""The ranking formula's terms, by hand."""

from __future__ import annotations

import math

import pytest

from feature_spec.formula import (
    DurationFactor,
    RankingFormula,
    formula_terms,
    ranking_score,
    transformed_duration,
    weights_in_force,
)

FORMULA = RankingFormula(
    weights={"click": 1.0, "like": 0.5},
    duration=DurationFactor(field="length_s", transform="none", scale=10.0, weight=2.0),
)


def test_ranking_score_is_the_product_of_the_scores_to_their_weights():
    # 0.5^1 · 0.25^0.5 · (20 / 10)^2 = 0.5 · 0.5 · 4 = 1
    terms = formula_terms(FORMULA, {"click": 0.5, "like": 0.25}, duration=20.0)
    assert [(term.name, term.value, term.weight) for term in terms] == [
        ("click", 0.5, 1.0),
        ("like", 0.25, 0.5),
        ("duration", 2.0, 2.0),
    ]
    assert [term.factor for term in terms] == pytest.approx([0.5, 0.5, 4.0])
    assert ranking_score(terms) == pytest.approx(1.0)


def test_log_factors_add_up_to_the_log_of_the_ranking_score():
    terms = formula_terms(FORMULA, {"click": 0.3, "like": 0.9}, duration=7.0)
    assert math.exp(sum(term.log_factor for term in terms)) == pytest.approx(
        0.3 * 0.9**0.5 * 0.7**2
    )


def test_a_score_of_zero_counts_as_the_floor():
    # (1e-6)^1 · 1^0.5
    assert ranking_score(formula_terms(FORMULA, {"click": 0.0, "like": 1.0})) == pytest.approx(1e-6)


def test_a_negative_score_of_a_regression_task_counts_as_the_floor():
    assert ranking_score(formula_terms(FORMULA, {"click": -3.0, "like": 1.0})) == pytest.approx(
        1e-6
    )


def test_a_weight_of_zero_leaves_even_a_score_of_zero_out():
    assert ranking_score(
        formula_terms(FORMULA, {"click": 0.0, "like": 0.25}, overrides={"click": 0.0})
    ) == pytest.approx(0.5)


def test_a_negative_weight_lowers_candidates_with_a_high_score():
    # 0.5^-1 · 0.25^0.5 = 2 · 0.5
    assert ranking_score(
        formula_terms(FORMULA, {"click": 0.5, "like": 0.25}, overrides={"click": -1.0})
    ) == pytest.approx(1.0)


def test_a_ranking_score_beyond_double_precision_is_infinite():
    # (1e-6)^-1000
    assert (
        ranking_score(formula_terms(FORMULA, {"click": 0.0}, overrides={"click": -1000.0}))
        == math.inf
    )


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_duration_leaves_the_ranking_score_as_it_is(missing):
    terms = formula_terms(FORMULA, {"click": 0.5, "like": 0.25}, duration=missing)
    assert (terms[-1].value, terms[-1].factor) == (None, 1.0)
    assert ranking_score(terms) == pytest.approx(0.25)


def test_a_formula_without_duration_has_no_term_for_it():
    formula = RankingFormula(weights={"click": 1.0})
    assert [term.name for term in formula_terms(formula, {"click": 0.5}, duration=20.0)] == [
        "click"
    ]


def test_a_task_that_the_formula_does_not_name_weighs_nothing():
    assert weights_in_force(RankingFormula(weights={"click": 1.0}), ["click", "like"]) == {
        "click": 1.0,
        "like": 0.0,
    }


def test_overrides_replace_the_formulas_weights_one_by_one():
    assert weights_in_force(FORMULA, ["click", "like"], {"like": 3.0, "duration": 0.0}) == {
        "click": 1.0,
        "like": 3.0,
        "duration": 0.0,
    }


@pytest.mark.parametrize(
    ("transform", "duration", "expected"),
    [
        ("none", 5.0, 0.5),  # 5 / 10
        ("log1p", 10.0, math.log(2.0)),  # log(1 + 10 / 10)
        ("log1p", 0.0, 0.0),
        ("log1p", -20.0, 0.0),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", 10.0, 1.0 / (1.0 + math.exp(-1.0))),
        ("sigmoid", -10.0, 1.0 / (1.0 + math.e)),
        ("sigmoid", -1e9, 0.0),
    ],
)
def test_duration_is_scaled_and_then_transformed(transform, duration, expected):
    assert transformed_duration(
        DurationFactor(field="length_s", transform=transform, scale=10.0), duration
    ) == pytest.approx(expected)


def test_a_duration_of_zero_counts_as_the_floor():
    # f = log1p(0) = 0, floored at 1e-6: (1e-6)^0.5 = 1e-3
    formula = RankingFormula(
        weights={"click": 1.0},
        duration=DurationFactor(field="length_s", transform="log1p", weight=0.5),
    )
    assert ranking_score(formula_terms(formula, {"click": 1.0}, duration=0.0)) == pytest.approx(
        1e-3
    )

"""The formula over many exposures is the formula of one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from feature_spec.formula import RankingFormula, formula_terms, ranking_score, weights_in_force
from trainer.formula_search.logged_exposures import log_factors

SCORES = {"click": [0.5, 0.0, 1.0, 0.25], "ratio": [2.0, -1.0, 0.1, 0.3]}
DURATIONS = [10.0, math.nan, 0.0, -30.0]


@pytest.mark.parametrize("transform", ["none", "log1p", "sigmoid"])
def test_log_factors_times_weights_are_the_logarithm_of_the_ranking_score(transform):
    formula = RankingFormula.model_validate(
        {
            "weights": {"click": 1.5, "ratio": 0.5},
            "duration": {"field": "d", "transform": transform, "scale": 10.0, "weight": 2.0},
        }
    )
    factors = log_factors(formula, SCORES, DURATIONS)
    weights = np.array(list(weights_in_force(formula, SCORES).values()))
    for row, duration in enumerate(DURATIONS):
        terms = formula_terms(
            formula, {task: scores[row] for task, scores in SCORES.items()}, duration
        )
        assert np.exp(factors[row] @ weights) == pytest.approx(ranking_score(terms), rel=1e-12)


def test_probabilities_have_a_floor_of_their_own_which_tells_small_ones_apart():
    formula = RankingFormula(weights={"click": 1.0, "ratio": 1.0})
    scores = {"click": [1e-9, 1e-20, 0.0], "ratio": [1e-9, 1e-20, 0.0]}
    floors = {"click": 2.0**-126, "ratio": 1e-6}
    factors = log_factors(formula, scores, None, floors=floors)
    expected = [[-20.723266, -13.815511], [-46.051702, -13.815511], [-87.336545, -13.815511]]
    np.testing.assert_allclose(factors, expected, atol=1e-6)
    for row in range(3):
        one = {task: values[row] for task, values in scores.items()}
        terms = formula_terms(formula, one, floors=floors)
        assert [term.log_factor for term in terms] == pytest.approx(factors[row])


def test_without_a_duration_there_is_one_column_a_task():
    factors = log_factors(RankingFormula(weights={}), SCORES, None)
    # log .5 = -.693147; a score of 0 counts as 1e-6, whose logarithm is -13.815511.
    np.testing.assert_allclose(
        factors[:2], [[-0.693147, 0.693147], [-13.815511, -13.815511]], atol=1e-6
    )

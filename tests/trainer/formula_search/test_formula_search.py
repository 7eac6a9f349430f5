"""Searches whose best weights are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from trainer.formula_search.formula_search import SearchSettings, search_formula
from trainer.formula_search.logged_exposures import LoggedExposures
from trainer.formula_search.objective import FormulaSearchError, Objective, parse_objective

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: x, format: jsonl}}
split: {evaluation_files: [x]}
fields:
  length_s: {side: item, kind: numeric}
tasks:
  told: {kind: binary, label: {rule: event, column: t}, metric: auc, threshold: 0.5, tolerance: 0.1}
  noise: {kind: binary, label: {rule: event, column: n}, metric: auc, threshold: 0.5, tolerance: 0.1}
ranking_formula: {weights: {told: 0.5, noise: 1.0}, duration: {field: length_s, weight: 0.0}}
""")
REQUESTS, CANDIDATES = 1500, 6


@pytest.fixture(scope="module")
def exposures():
    """The score of `told` is the probability of its gain, that of `noise` says nothing; each user makes three requests.

    The second objective is what the first is not: it comes where `told` is low.
    """
    random = np.random.default_rng(0)
    size = REQUESTS * CANDIDATES
    told, noise, length = random.uniform(0.05, 0.95, (3, size))
    request = np.repeat(np.arange(REQUESTS), CANDIDATES)
    gains = np.stack(
        [random.uniform(size=size) < told, random.uniform(size=size) < 1.0 - told], axis=1
    )
    return LoggedExposures(
        log_factors=np.log(np.stack([told, noise, length], axis=1)),
        ranking_scores=np.zeros(size),
        gains=gains.astype(float),
        request_keys=request.astype(np.bytes_),
        user_keys=(request // 3).astype(np.bytes_),
        days=np.zeros(size, np.int64),
    )


def only(exposures, columns):
    return LoggedExposures(**{**vars(exposures), "gains": exposures.gains[:, columns]})


def search(exposures, names=("told",), **settings):
    settings = {"trials": 150, "top_k": 3, **settings}
    return search_formula(
        exposures, SPEC, [Objective(name) for name in names], SearchSettings(**settings), folder="model"
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(exposures):
    return search(only(exposures, [0]))


def test_what_tells_is_weighed_and_noise_is_not(found):
    weights = found.found.weights
    assert weights["told"] > 0.5
    assert weights["noise"] < 0.15 * weights["told"]
    assert abs(weights["duration"]) < 0.15 * weights["told"]
    (difference,) = found.found.held_out
    assert difference.verdict == "gain"
    assert difference.relative > 0.1
    assert difference.found - difference.current == pytest.approx(difference.difference)


def test_the_gain_comes_near_that_of_the_best_weights(exposures, found):
    # `told` alone is the best order: nothing else is known of the gain.
    alone = SPEC.model_copy(
        update={
            "ranking_formula": SPEC.ranking_formula.model_copy(update={"weights": {"told": 1.0}})
        }
    )
    best = search_formula(
        only(exposures, [0]), alone, [Objective("told")], SearchSettings(trials=1, top_k=3), folder="model"
    )  # fmt: skip
    assert found.found.held_out[0].found == pytest.approx(best.found.held_out[0].current, rel=0.02)


def test_weights_that_are_best_already_stay(exposures):
    alone = SPEC.model_copy(
        update={
            "ranking_formula": SPEC.ranking_formula.model_copy(update={"weights": {"told": 1.0}})
        }
    )
    result = search_formula(
        only(exposures, [0]), alone, [Objective("told")], SearchSettings(trials=1, top_k=3), folder="model"
    )  # fmt: skip
    assert result.found.weights == result.current == {"told": 1.0, "noise": 0.0, "duration": 0.0}
    (difference,) = result.found.held_out
    assert (difference.difference, difference.lower, difference.upper, difference.verdict) == (
        0.0,
        0.0,
        0.0,
        "within noise",
    )


def with_weights(**weights):
    formula = SPEC.ranking_formula.model_copy(update={"weights": weights})
    return SPEC.model_copy(update={"ranking_formula": formula})


def test_a_penalty_stays_one_unless_signs_are_free(exposures):
    # More of `told` would be had by rewarding it.
    found = {
        free: search_formula(
            only(exposures, [0]), with_weights(told=-1.0, noise=1.0), [Objective("told")],
            SearchSettings(trials=150, top_k=3, free_signs=free), folder="model",
        ).found.weights["told"]
        for free in (False, True)
    }  # fmt: skip
    assert -0.2 < found[False] <= 0.0
    assert found[True] > 0.5


def test_an_objective_may_be_minimised(exposures):
    result = search_formula(
        exposures, with_weights(told=1.0, noise=1.0), [Objective("told"), Objective("noise", is_minimised=True)],
        SearchSettings(trials=100, top_k=3), folder="model",
    )  # fmt: skip
    told, noise = result.found.held_out
    assert (told.verdict, noise.verdict) == ("gain", "gain")
    assert noise.difference < 0.0 < told.difference
    assert result.reason_to_keep is None


def test_the_search_begins_around_the_current_weights(exposures):
    from trainer.formula_search.pareto_search import pareto_front

    tried = []

    def value(weights):
        tried.append(weights)
        return [0.0]

    bounds = {"told": (0.0, 4.0), "noise": (0.0, 4.0), "duration": (-4.0, 0.0)}
    current = {"told": 2.0, "noise": 0.0, "duration": -1.0}
    pareto_front(value, current, bounds, trials=50, seed=1)
    near = np.array(tried[2:26])  # behind the current weights, which are tried twice
    # By factors of e^N(0, .5), of which 99.99 % lie between 1/7 and 7, and where a weight is 0, by
    # steps of a tenth of the largest.
    assert (near[:, 0] > 2.0 / 7).all()
    assert (near[:, 1] < 0.2 * 4).all()
    assert ((near[:, 2] < -1.0 / 7) & (near[:, 2] >= -4.0)).all()
    assert np.ptp(near[:, 0]) > 0.5


def test_weights_near_a_bound_of_many_decimals_stay_within_it(recwarn):
    from trainer.formula_search.pareto_search import pareto_front

    bounds = {"click": (0.0, 0.66666), "share": (-0.66666, 0.0)}
    current = {"click": 0.66666, "share": -0.66666}
    pareto_front(lambda weights: [weights.sum()], current, bounds, trials=40, seed=1)
    assert [str(one.message) for one in recwarn if "out of range" in str(one.message)] == []


def test_every_exposure_and_group_is_accounted_for(found):
    counts, groups = found.exposures, found.groups
    assert counts.logged == REQUESTS * CANDIDATES == counts.searched + counts.held_out
    assert (counts.without_key, counts.in_groups_left_out) == (0, 0)
    # 500 users, half of them held out, three requests each.
    assert (groups.searched, groups.held_out, groups.held_out_units, groups.left_out) == (
        750,
        750,
        250,
        0,
    )


def test_equal_seeds_give_equal_results_and_others_another_division(exposures, found):
    assert search(only(exposures, [0])) == found
    assert search(only(exposures, [0]), seed=2).found.held_out != found.found.held_out


def test_objectives_that_conflict_make_a_front_and_neither_is_bought_with_the_other(exposures):
    result = search(exposures, ("told", "noise"))
    assert len(result.front) > 3
    searched = [tuple(point.searched.values()) for point in result.front]
    # Sorted by the first objective, the second must rise: that is what no point beats another
    # means.
    assert all(a > b and c < d for (a, c), (b, d) in itertools.pairwise(searched))
    relative = [one.relative for one in result.found.held_out]
    assert min(relative) > -0.03


def test_without_a_discount_groups_that_are_shown_whole_are_left_out(exposures):
    with pytest.raises(FormulaSearchError, match="no request has 7 or more exposures"):
        search(only(exposures, [0]), top_k=6, discount="none")


def test_an_objective_of_which_there_is_nothing_is_refused(exposures):
    nothing = LoggedExposures(**{**vars(exposures), "gains": np.zeros((len(exposures), 1))})
    with pytest.raises(
        FormulaSearchError, match="--objective told: no searched exposure brought any of it"
    ):
        search(nothing)
    with pytest.raises(FormulaSearchError, match="--minimise told: no searched exposure"):
        search_formula(
            nothing, SPEC, [Objective("told", is_minimised=True)], SearchSettings(), folder="model"
        )


def test_too_few_users_to_divide_are_refused(exposures):
    with pytest.raises(FormulaSearchError, match="500 users .* at a held-out share of 0.001"):
        search(only(exposures, [0]), held_out_share=0.001)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tol", "--objective tol: no such task: did you mean 'told'"),
        ("told*length_s", "may be multiplied by 'duration' only, received 'length_s'"),
    ],
)
def test_an_objective_that_cannot_be_read_is_refused(text, problem):
    with pytest.raises(FormulaSearchError, match=problem.replace("*", r"\*")):
        parse_objective(text, SPEC)


def test_watch_time_needs_a_duration():
    without = SPEC.model_copy(
        update={"ranking_formula": SPEC.ranking_formula.model_copy(update={"duration": None})}
    )
    assert parse_objective("told * duration", SPEC) == Objective("told", times_duration=True)
    with pytest.raises(
        FormulaSearchError, match="names no duration field to multiply by; valid: told"
    ):
        parse_objective("told*duration", without)

"""The order of `rank_top_k` is that of the formula in double precision, whatever scores and weights are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_spec.formula import LOG_SCORE_STEP

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

LOWEST = float(np.float32(math.log(1e-30)))
LIMIT = -126 * math.log(2)


@pytest.fixture(scope="module")
def rankers():
    """The signature `rank_top_k` of a model, and its spec, by number and kind of tasks."""
    from tests.trainer.export.given_logits import TASKS, ranker, spec_of

    made = {}

    def of(count, kind="binary"):
        if (count, kind) not in made:
            spec = spec_of(TASKS[:count], kind)
            module = ranker(spec)
            made[count, kind] = module, module.signatures(), spec
        _, signatures, spec = made[count, kind]
        return signatures, spec

    return of


def top(rankers, logits, weights=None, kind="binary", signature="rank_top_k", **changes):
    import tensorflow as tf

    from tests.trainer.export.given_logits import request

    logits = np.asarray(logits, np.float32)
    signatures, spec = rankers(logits.shape[1], kind)
    if weights is not None:
        changes |= {
            f"weight_of_{task}": np.float32(weight)
            for task, weight in zip(spec.tasks, weights, strict=True)
        }
    inputs = request(spec, logits, **changes)
    if signature == "rank_top_k":
        inputs["top_k"] = np.int32(len(logits))
    arguments = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in signatures[signature](**arguments).items()}


def in_double_precision(logits, weights):
    """Σ w · log σ(logit) of each candidate, without a rounding error."""

    def log_sigmoid(logit):
        value = -math.log1p(math.exp(-logit)) if logit >= 0 else logit - math.log1p(math.exp(logit))
        return max(value, LIMIT)

    return [
        math.fsum(float(w) * log_sigmoid(float(x)) for x, w in zip(row, weights, strict=True))
        for row in logits
    ]


@st.composite
def candidates(draw):
    """Logits (C, K) of scores from 1e-30 to almost 1, some candidates alike, and weights (K,)."""
    tasks = draw(st.integers(1, 12))
    logit = st.floats(LOWEST, 30.0, width=32)
    rows = draw(st.lists(st.lists(logit, min_size=tasks, max_size=tasks), min_size=1, max_size=8))
    rows = [draw(st.sampled_from(rows)) for _ in range(len(rows) + draw(st.integers(0, 4)))]
    weights = draw(
        st.lists(st.floats(-5, 5, width=32, allow_subnormal=False), min_size=tasks, max_size=tasks)
    )
    return np.float32(rows), np.float32(weights)


@settings(max_examples=300, deadline=None)
@given(candidates())
def test_the_order_is_that_of_the_formula_in_double_precision(rankers, case):
    logits, weights = case
    found = top(rankers, logits, weights)
    exact = in_double_precision(logits, weights)
    step = LOG_SCORE_STEP * float(np.abs(np.float64(weights)).sum())
    order = found["candidate_position"].tolist()
    assert sorted(order) == list(range(len(logits)))
    for before, after in itertools.pairwise(order):
        assert exact[before] >= exact[after] - 1.001 * step
        if (logits[before] == logits[after]).all():
            assert before < after
    given_logs = found["log_ranking_score"]
    np.testing.assert_allclose(given_logs, np.array(exact)[order], rtol=1e-12, atol=0.51 * step)
    assert (np.diff(given_logs) <= 0.0).all()
    assert (np.diff(found["ranking_score"].astype(np.float64)) <= 0.0).all()
    assert np.isfinite(found["ranking_score"]).all()


def test_random_scores_down_to_1e_30_are_ordered_as_in_double_precision(rankers):
    random = np.random.default_rng(0)
    for tasks in range(1, 13):
        logits = np.float32(np.log(10.0) * random.uniform(-30.0, 0.0, (200, tasks)))
        weights = np.float32(random.uniform(-5.0, 5.0, tasks))
        exact = np.array(in_double_precision(logits, weights))
        order = top(rankers, logits, weights)["candidate_position"]
        gaps = -np.diff(np.sort(-exact)[::-1])
        assert (order == np.argsort(-exact, kind="stable")).all(), gaps.min()


@pytest.mark.parametrize("weight", [1.0, 5.0, 0.001, 1e-30, -1.0, -5.0])
def test_ten_tasks_at_scores_of_1e_4_keep_their_order(rankers, weight):
    """Their product is 1e-40, which float32 does not hold; to the power of -5 it is 1e200."""
    logit = math.log(1e-4)
    # One score is higher by 0.1 %, 0.2 % … in one task.
    logits = np.full((6, 10), logit, np.float32)
    logits[:, 3] += np.float32([0.003, 0.001, 0.005, 0.002, 0.0, 0.004])
    best = [2, 5, 0, 3, 1, 4]
    found = top(rankers, logits, [weight] * 10)
    assert found["candidate_position"].tolist() == (best if weight > 0 else best[::-1])
    assert (np.diff(found["log_ranking_score"]) < 0.0).all()
    assert np.isfinite(found["ranking_score"]).all()


def test_equals_keep_the_order_of_the_request_wherever_they_stand(rankers):
    """Vector instructions compute the last rows of a batch in another way than the others."""
    for count in range(1, 40):
        logits = np.full((count, 3), -1.2345678, np.float32)
        found = top(rankers, logits, [0.3, 0.7, -1.1])
        assert found["candidate_position"].tolist() == list(range(count))
        assert len(set(found["log_ranking_score"].tolist())) == 1


def test_terms_in_another_order_make_no_difference(rankers):
    logits = np.float32([[0.1, -2.3, 0.7], [0.7, 0.1, -2.3], [-2.3, 0.7, 0.1]])
    assert top(rankers, logits)["candidate_position"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("weight", [0.0, 1.0, -1.0, 1e38, -1e38])
@pytest.mark.parametrize("logit", [-3e38, -1000.0, 0.0, 1000.0, 3e38])
def test_the_log_score_is_finite_at_every_edge(rankers, kind, weight, logit):
    found = top(rankers, [[logit, 0.5]], [weight, 1.0], kind=kind)
    assert all(np.isfinite(values).all() for values in found.values())


def test_a_weight_of_zero_leaves_even_a_score_of_zero_out(rankers):
    logits = [[-3e38, 0.5], [3e38, 0.5], [0.0, 0.5]]
    logs = top(rankers, logits, [0.0, 1.0])["log_ranking_score"]
    assert logs == pytest.approx([math.log(1 / (1 + math.exp(-0.5)))] * 3, abs=1e-6)


def test_numbers_of_regression_tasks_of_zero_and_less_count_as_the_floor(rankers):
    found = top(rankers, [[-3.0], [2.0], [0.0]], [2.0], kind="regression", signature="rank")
    floor = 2 * math.log(1e-6)
    assert found["log_ranking_score"] == pytest.approx([floor, 2 * math.log(2), floor], abs=1e-5)


def test_the_duration_counts_in_the_log_score(rankers):
    lengths = np.float32([0.0, 50.0, np.nan])
    found = top(rankers, [[0.0]] * 3, signature="rank", length_s=lengths)
    # log 0.5, and log log1p(50 / 10) or log of the floor.
    own = [math.log(1e-6), math.log(math.log1p(5.0)), 0.0]
    assert found["log_ranking_score"] == pytest.approx([math.log(0.5) + x for x in own], abs=1e-5)


def test_the_ranking_score_is_e_to_the_log_score(rankers):
    found = top(rankers, np.random.default_rng(1).normal(0, 3, (20, 4)), signature="rank")
    assert found["log_ranking_score"].dtype == np.float64
    assert found["ranking_score"] == pytest.approx(np.exp(found["log_ranking_score"]), rel=1e-6)

"""The ranking formula in the graph, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from feature_spec.formula import RankingFormula  # noqa: E402
from trainer.export.ranking_score import ranking_score  # noqa: E402

pytestmark = pytest.mark.tensorflow

NAN = float("nan")


def scored(scores, weights, raw_duration=None, **formula):
    spec = RankingFormula.model_validate({"weights": {}, **formula})
    return ranking_score(
        spec,
        {task: tf.constant(values) for task, values in scores.items()},
        {task: tf.constant(weight) for task, weight in weights.items()},
        None if raw_duration is None else tf.constant(raw_duration),
        tf.constant(spec.duration.weight) if spec.duration else None,
    ).numpy()


def test_scores_are_multiplied_with_their_weights_as_exponents():
    # 0.5² · 0.25^0.5 = 0.125
    assert scored({"a": [0.5], "b": [0.25]}, {"a": 2.0, "b": 0.5}) == pytest.approx([0.125])


@pytest.mark.parametrize(
    ("score", "weight"), [(0.0, 1.0), (0.0, -3.0), (1.0, 5.0), (0.3, 0.0), (-2.0, 1.0), (0.0, 0.0)]
)
def test_the_score_is_finite_at_every_edge(score, weight):
    assert np.isfinite(scored({"a": [score]}, {"a": weight})).all()


def test_a_weight_of_zero_leaves_the_others_alone():
    assert scored({"a": [0.0], "b": [0.25]}, {"a": 0.0, "b": 1.0}) == pytest.approx([0.25])


@pytest.mark.parametrize(
    ("transform", "factor"),
    [("none", 2.0), ("log1p", math.log(3.0)), ("sigmoid", 1 / (1 + math.exp(-2.0)))],
)
def test_the_duration_is_scaled_transformed_and_weighted(transform, factor):
    formula = {"duration": {"field": "d", "transform": transform, "scale": 10.0, "weight": 2.0}}
    # Duration 20 over a scale of 10 is 2.
    assert scored({"a": [0.5]}, {"a": 1.0}, [20.0], **formula) == pytest.approx(
        [0.5 * factor**2], rel=1e-5
    )


def test_a_missing_duration_leaves_the_score_as_it_is():
    formula = {"duration": {"field": "d"}}
    assert scored({"a": [0.5]}, {"a": 1.0}, [NAN], **formula) == pytest.approx([0.5])


def test_a_duration_of_zero_ranks_low_and_stays_finite():
    result = scored({"a": [0.5]}, {"a": 1.0}, [0.0], duration={"field": "d"})
    assert 0.0 < result[0] < 1e-5


@pytest.mark.parametrize("transform", ["none", "log1p", "sigmoid"])
@pytest.mark.parametrize("duration", [-30.0, -10.0, -5.0, 0.0, 7.0, 1e9, NAN])
def test_the_graph_and_the_explanation_agree(transform, duration):
    from feature_spec.formula import formula_terms

    formula = {"duration": {"field": "d", "transform": transform, "scale": 10.0, "weight": 0.5}}
    in_graph = scored({"a": [0.3]}, {"a": 2.0}, [duration], **formula)[0]
    spec = RankingFormula.model_validate({"weights": {"a": 2.0}, **formula})
    terms = formula_terms(spec, {"a": 0.3}, None if math.isnan(duration) else duration)
    assert in_graph == pytest.approx(math.prod(term.factor for term in terms), rel=1e-4)

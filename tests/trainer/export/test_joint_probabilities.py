"""Joint probabilities of an export: products of what is served, in every signature."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def test_the_joint_probability_is_the_product_of_scores_from_which_sampling_is_undone():
    import tensorflow as tf

    from feature_spec.tasks.task import Sampling
    from tests.trainer.export.given_logits import ranker, request, spec_of

    spec = spec_of(["click", "buy"])
    buy = spec.tasks["buy"].model_copy(update={"given": "click", "chain": "esmm"})
    spec = spec.model_copy(
        update={"tasks": spec.tasks | {"buy": buy}, "sampling": Sampling(negative_rate=0.25)}
    )
    logits = [[0.0, 0.0], [2.0, -1.0]]
    inputs = {name: tf.constant(value) for name, value in request(spec, logits).items()}
    module = ranker(spec)
    signatures = module.signatures()
    ranked = {name: x.numpy() for name, x in signatures["rank"](**inputs).items()}
    # A click at even odds among kept negatives has the odds of ¼, 1 in 5; then half of them buy.
    assert ranked["joint_of_buy"][0] == pytest.approx(0.2 * 0.5)
    assert ranked["joint_of_buy"] == pytest.approx(ranked["click"] * ranked["buy"], rel=1e-6)
    # Both have the weight 1: the formula multiplies them once.
    assert ranked["ranking_score"] == pytest.approx(ranked["joint_of_buy"], rel=1e-5)
    best = signatures["rank_top_k"](**inputs, top_k=tf.constant(1))
    assert (
        best["joint_of_buy"].numpy() == ranked["joint_of_buy"][np.argmax(ranked["ranking_score"])]
    )
    assert set(ranked) == {"click", "buy", "joint_of_buy", "ranking_score", "log_ranking_score"}

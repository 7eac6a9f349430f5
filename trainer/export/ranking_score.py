"""From logits to the scores that are served: the sampling correction and the ranking formula."""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf

from feature_spec.formula import SCORE_FLOOR, RankingFormula


def correct_sampling(
    logits: Mapping[str, tf.Tensor], negative_rates: Mapping[str, float]
) -> dict[str, tf.Tensor]:
    """Correct the logits of a model that was trained on down-sampled negatives.

    Keeping a share r of the negatives multiplies the odds of a positive by 1/r. The correction
    turns the probability p into p·r / (1 − p + r·p), and lowers the logit by −ln r.

    Args:
        logits: logits by task, (B,).
        negative_rates: r of each binary task that was sampled.
    """
    return {
        task: logit + math.log(negative_rates[task]) if task in negative_rates else logit
        for task, logit in logits.items()
    }


def ranking_score(
    formula: RankingFormula,
    scores: Mapping[str, tf.Tensor],
    weights: Mapping[str, tf.Tensor],
    duration: tf.Tensor | None = None,
    duration_weight: tf.Tensor | None = None,
) -> tf.Tensor:
    """Compute Π_k score_k^w_k · f(duration)^w_d (PLE, Eq 1) in log space.

    The score is finite at scores of 0, at weights of 0 and without a duration.

    Args:
        formula: the formula, with f and its scale.
        scores: scores by task, (B,).
        weights: weights by task, scalars.
        duration: the raw duration in the field's own unit, (B,); NaN where missing.
        duration_weight: w_d, a scalar.

    Returns:
        The ranking score, float32 (B,).
    """
    log_score = tf.add_n(
        [
            weights[task] * tf.math.log(tf.maximum(score, SCORE_FLOOR))
            for task, score in scores.items()
        ]
    )
    if formula.duration is not None:
        known = tf.math.logical_not(tf.math.is_nan(duration))
        scaled = tf.where(known, duration, 0.0) / formula.duration.scale
        transforms = {
            "none": tf.identity,
            "log1p": lambda x: tf.math.log1p(tf.maximum(x, 0.0)),
            "sigmoid": tf.sigmoid,
        }
        factor = tf.maximum(transforms[formula.duration.transform](scaled), SCORE_FLOOR)
        log_score += tf.where(known, duration_weight * tf.math.log(factor), 0.0)
    return tf.exp(log_score)

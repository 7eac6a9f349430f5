"""From logits to the scores that are served: the sampling correction and the ranking formula."""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf

from feature_spec.formula import SCORE_FLOOR, RankingFormula


def correct_sampling(
    logits: Mapping[str, tf.Tensor], negative_rates: Mapping[str, float]
) -> dict[str, tf.Tensor]:
    """Shifts the logits of binary tasks.

    A share r of the negatives multiplies the odds of a positive by 1/r. Taking that back, the
    probability p becomes p·r / (1 − p + r·p), and the logit falls by −ln r.

    Args:
        logits: by task, (B,).
        negative_rates: r of each task that was sampled.
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
    """Π_k score_k^w_k · f(duration)^w_d (PLE, Eq 1), in log space.

    It is finite at scores of 0, at weights of 0 and without a duration.

    Args:
        formula: gives f and its scale.
        scores: by task, (B,).
        weights: by task, scalars.
        duration: raw, in the field's own unit, (B,); NaN where missing.
        duration_weight: w_d, a scalar.

    Returns:
        (B,) float32.
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

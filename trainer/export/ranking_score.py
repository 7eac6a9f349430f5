"""The ranking formula in the graph."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from feature_spec.formula import SCORE_FLOOR, RankingFormula


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

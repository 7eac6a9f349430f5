"""From logits to the scores that are served: the sampling correction and the ranking formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from feature_spec.formula import LOG_SCORE_STEP, PROBABILITY_FLOOR, SCORE_FLOOR, RankingFormula

_SMALLEST_STEP = 2.0**-1000  # where all weights are 0


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


def joint_probabilities(
    scores: Mapping[str, tf.Tensor], joints: Mapping[str, Sequence[str]]
) -> dict[str, tf.Tensor]:
    """Multiply the scores along each chain: P(click and buy) = P(click) · P(buy | click).

    Args:
        scores: probabilities as they are served, by task, (B,): corrected for sampling.
        joints: the tasks of each joint probability, by output.
    """
    return {
        joint: tf.reduce_prod(tf.stack([scores[task] for task in tasks]), axis=0)
        for joint, tasks in joints.items()
    }


def log_probability(logits: tf.Tensor) -> tf.Tensor:
    """Return log max(σ(logit), PROBABILITY_FLOOR), float64, exact where σ rounds to 0 or 1."""
    return tf.maximum(
        tf.math.log_sigmoid(tf.cast(logits, tf.float64)),
        tf.constant(math.log(PROBABILITY_FLOOR), tf.float64),
    )


def log_number(numbers: tf.Tensor) -> tf.Tensor:
    """Return log max(number, SCORE_FLOOR), float64."""
    return tf.math.log(tf.maximum(tf.cast(numbers, tf.float64), SCORE_FLOOR))


def log_ranking_score(
    formula: RankingFormula,
    log_scores: tf.Tensor,
    weights: tf.Tensor,
    duration: tf.Tensor | None = None,
    duration_weight: tf.Tensor | None = None,
) -> tf.Tensor:
    """Compute Σ_k w_k · log score_k + w_d · log f(duration), the logarithm of PLE's Eq 1.

    Args:
        formula: the formula, with f and its scale.
        log_scores: log max(score_k, ε_k), float64 (K, B).
        weights: w_k in the same order, (K,).
        duration: the raw duration in the field's own unit, (B,); NaN where missing.
        duration_weight: w_d, a scalar.

    Returns:
        float64 (B,), multiples of LOG_SCORE_STEP · Σ |w|; finite for finite weights.
    """
    weights = tf.cast(weights, tf.float64)
    log_score = tf.reduce_sum(weights[:, tf.newaxis] * log_scores, axis=0)
    # The duration adds nothing to the step: it is exact.
    step = tf.maximum(LOG_SCORE_STEP * tf.reduce_sum(tf.abs(weights)), _SMALLEST_STEP)
    if formula.duration is not None:
        known = tf.math.logical_not(tf.math.is_nan(duration))
        scaled = tf.cast(tf.where(known, duration, 0.0), tf.float64) / formula.duration.scale
        transforms = {
            "none": tf.identity,
            "log1p": lambda x: tf.math.log1p(tf.maximum(x, 0.0)),
            "sigmoid": tf.sigmoid,
        }
        log_factor = log_number(transforms[formula.duration.transform](scaled))
        duration_weight = tf.cast(duration_weight, tf.float64)
        log_score += tf.where(known, duration_weight * log_factor, tf.zeros_like(log_factor))
    return tf.round(log_score / step) * step


def as_ranking_score(log_score: tf.Tensor) -> tf.Tensor:
    """Return e to the log ranking score, float32; the largest float32 where that is larger."""
    limit = tf.constant(math.log(tf.float32.max), tf.float64)
    return tf.minimum(tf.cast(tf.exp(tf.minimum(log_score, limit)), tf.float32), tf.float32.max)


def ranking_score(
    formula: RankingFormula,
    scores: Mapping[str, tf.Tensor],
    weights: Mapping[str, tf.Tensor],
    duration: tf.Tensor | None = None,
    duration_weight: tf.Tensor | None = None,
) -> tf.Tensor:
    """Compute Π_k score_k^w_k · f(duration)^w_d (PLE, Eq 1) of scores that are positive numbers.

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
    log_score = log_ranking_score(
        formula,
        log_number(tf.stack(list(scores.values()))),
        tf.stack([weights[task] for task in scores]),
        duration,
        duration_weight,
    )
    return as_ranking_score(log_score)

"""Scores of a model that was trained on down-sampled negatives, as if it had seen them all."""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf


def undo_sampling(
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

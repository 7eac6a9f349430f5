"""Scores of tasks that predict quantiles, as values of their labels."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from trainer.inputs.label_quantiles import LEVELS, LabelQuantiles


class QuantileScores:
    """Turns predicted quantiles into the labels' own unit.

    Args:
        quantiles: the distributions of the training's labels, by task.
    """

    def __init__(self, quantiles: Mapping[str, LabelQuantiles]) -> None:
        self._quantiles = dict(quantiles)
        self._levels = {name: one.levels() for name, one in self._quantiles.items()}

    def __call__(
        self, scores: Mapping[str, tf.Tensor], features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Return scores by task, (B,), in which quantiles are values: between those seen.

        Args:
            scores: scores by task, (B,).
            features: transformed features of the same examples, or of one request and B candidates.
        """
        return {
            name: self._value(name, score, features) if name in self._quantiles else score
            for name, score in scores.items()
        }

    def _value(self, name: str, score: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        of_task = self._quantiles[name]
        rows = of_task.field.rows(features)
        groups = tf.fill(tf.shape(rows), len(of_task.rows))
        if len(of_task.rows):
            known = tf.constant(of_task.rows)
            places = tf.minimum(tf.searchsorted(known, rows), len(of_task.rows) - 1)
            groups = tf.where(tf.gather(known, places) == rows, places, groups)
        # One request has one group for all candidates, of which a score is NaN if it overflowed.
        groups = tf.broadcast_to(groups, tf.shape(score))
        place = tf.clip_by_value(score, 0.0, 1.0) * float(LEVELS - 1)
        below = tf.clip_by_value(tf.cast(tf.floor(place), tf.int32), 0, LEVELS - 2)
        levels = tf.constant(self._levels[name])
        lower = tf.gather_nd(levels, tf.stack([groups, below], axis=1))
        upper = tf.gather_nd(levels, tf.stack([groups, below + 1], axis=1))
        return lower + (upper - lower) * (place - tf.cast(below, tf.float32))

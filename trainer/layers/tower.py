"""Towers: a task's representation to its logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("fulcrum")
class Tower(tf.keras.layers.Layer):
    """ReLU layers and one linear unit: t^k of PLE, Eq 5.

    The logit is float32 whatever the precision of the hidden layers.

    Args:
        units: the units of the hidden layers.
        dropout_rate: the share of units dropped after each hidden layer in training. Defaults to 0.

    Call arguments:
        representation: a task's representation, (B, U).

    Returns:
        The logits, (B,).

    Example:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import Tower
        >>> Tower(units=[16, 8])(tf.ones([5, 32])).shape
        TensorShape([5])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(self, units: Sequence[int], dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.dropout_rate = tuple(units), dropout_rate
        self.hidden = [tf.keras.layers.Dense(width, activation="relu") for width in self.units]
        self.dropout = tf.keras.layers.Dropout(dropout_rate)
        # Scores and losses are computed in float32 whatever precision the hidden layers have.
        self.logit = tf.keras.layers.Dense(1, dtype="float32")

    def call(self, representation: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        h = representation
        for layer in self.hidden:
            h = self.dropout(layer(h), training=training)
        return tf.squeeze(self.logit(h), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "dropout_rate": self.dropout_rate}

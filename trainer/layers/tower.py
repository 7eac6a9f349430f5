"""Towers: from a task's representation to its logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf


@tf.keras.utils.register_keras_serializable("fulcrum")
class Tower(tf.keras.layers.Layer):
    """t^k of PLE Eq 5: ReLU layers and one linear unit.

    Args:
        units: units of the hidden layers.
        dropout_rate: share of units dropped after each hidden layer in training. Defaults to 0.
    """

    def __init__(self, units: Sequence[int], dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.dropout_rate = tuple(units), dropout_rate
        self.hidden = [tf.keras.layers.Dense(width, activation="relu") for width in self.units]
        self.dropout = tf.keras.layers.Dropout(dropout_rate)
        # Scores and losses are computed in float32 whatever precision the hidden layers have.
        self.logit = tf.keras.layers.Dense(1, dtype="float32")

    def call(self, representation: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """(B, U) → logits (B,)."""
        h = representation
        for layer in self.hidden:
            h = self.dropout(layer(h), training=training)
        return tf.squeeze(self.logit(h), axis=1)

    def reading(self, units: npt.NDArray[np.intp]) -> Tower:
        """The same tower for a representation of which only `units` are left, because the others are 0."""
        layers = [*self.hidden, self.logit]
        result = Tower(self.units, self.dropout_rate, dtype=self.dtype_policy, name=self.name)
        width = len(units)
        for own, layer in zip(layers, [*result.hidden, result.logit], strict=True):
            layer.build([None, width])
            kernel, bias = own.get_weights()
            layer.set_weights([kernel[units] if own is layers[0] else kernel, bias])
            width = int(kernel.shape[1])
        result.trainable = False
        return result

    def multiplications(self) -> int:
        """Those of a row."""
        return sum(int(np.prod(layer.kernel.shape)) for layer in [*self.hidden, self.logit])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "dropout_rate": self.dropout_rate}

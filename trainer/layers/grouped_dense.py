"""Dense layers side by side, each on its own input."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.layers.initial_weights import side_by_side_glorot


@tf.keras.utils.register_keras_serializable("fulcrum")
class GroupedDense(tf.keras.layers.Layer):
    """G independent ReLU layers on G inputs, in one batched product.

    Args:
        units: V, units of each layer.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: {units}")
        self.units = units

    def build(self, input_shape: tf.TensorShape) -> None:
        groups, width = int(input_shape[1]), int(input_shape[2])
        self.kernel = self.add_weight(
            name="kernel",
            shape=(groups, width, self.units),
            initializer=side_by_side_glorot(width, self.units),
        )
        self.bias = self.add_weight(name="bias", shape=(groups, self.units), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(B, G, U) → (B, G, V)."""
        return tf.nn.relu(tf.einsum("bgu,guv->bgv", x, self.kernel) + self.bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}

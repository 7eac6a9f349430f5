"""Experts: independent networks that read one input, computed as one matrix product a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.flat_input import FlatInput, input_width, product
from trainer.layers.initial_weights import side_by_side_glorot


@tf.keras.utils.register_keras_serializable("fulcrum")
class Experts(tf.keras.layers.Layer):
    """E experts with ReLU layers (MMoE, section 4; PLE, section 4.1, where they have a single layer).

    Args:
        experts: E, number of experts.
        units: units of each expert's layers; the last is U.
        dropout_rate: share of units dropped after each layer in training. Defaults to 0.
    """

    def __init__(
        self, experts: int, units: Sequence[int], dropout_rate: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if experts < 1 or not units or min(units) < 1:
            raise ValueError(
                f"`experts` and each of `units` must be at least 1. Received: experts={experts}, units={list(units)}"
            )
        self.experts = experts
        self.units = tuple(units)
        self.dropout_rate = dropout_rate

    def build(self, input_shape: Any) -> None:
        fan_in = input_width(input_shape)
        self.kernels, self.biases = [], []
        for level, units in enumerate(self.units):
            # The first layer's experts share an input, so their kernels stand side by side.
            shape = (fan_in, self.experts * units) if level == 0 else (self.experts, fan_in, units)
            initializer = side_by_side_glorot(fan_in, units)
            self.kernels.append(
                self.add_weight(name=f"kernel_{level}", shape=shape, initializer=initializer)
            )
            self.biases.append(
                self.add_weight(
                    name=f"bias_{level}", shape=(self.experts, units), initializer="zeros"
                )
            )
            fan_in = units
        self.dropout = tf.keras.layers.Dropout(self.dropout_rate)
        self.built = True

    def call(self, x: tf.Tensor | FlatInput, training: bool | None = None) -> tf.Tensor:
        """(B, I) → (B, E, U)."""
        h = tf.nn.relu(product(x, self.kernels[0], tf.reshape(self.biases[0], [-1])))
        h = self.dropout(tf.reshape(h, [-1, self.experts, self.units[0]]), training=training)
        for kernel, bias in zip(self.kernels[1:], self.biases[1:], strict=True):
            h = self.dropout(
                tf.nn.relu(tf.einsum("beu,euv->bev", h, kernel) + bias), training=training
            )
        return h

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "experts": self.experts,
            "units": self.units,
            "dropout_rate": self.dropout_rate,
        }

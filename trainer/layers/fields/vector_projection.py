"""Vectors that another model has computed as fields of a network."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("fulcrum")
class VectorProjection(tf.keras.layers.Layer):
    """LayerNorm(W v) of a given vector v, which is not trained; a learnt vector where v is missing.

    Args:
        units: the number of rows of W.
        normalise: whether v is scaled to length 1 first; a vector of zeros stays. Defaults to
            False.

    Call arguments:
        v: float32 (B, d); a row whose first value is NaN is missing.

    Returns:
        (B, units), float32.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import VectorProjection
        >>> VectorProjection(units=8)(tf.ones([2, 64])).shape
        TensorShape([2, 8])
    """

    def __init__(self, units: int, *, normalise: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: {units}")
        self.units, self.normalise = units, normalise
        self.product = tf.keras.layers.Dense(units, use_bias=False, dtype="float32")
        self.norm = tf.keras.layers.LayerNormalization(dtype="float32")

    def build(self, input_shape: Any) -> None:
        self.missing = self.add_weight(name="missing", shape=(self.units,), initializer="zeros")
        super().build(input_shape)

    def call(self, v: tf.Tensor) -> tf.Tensor:
        is_missing = tf.math.is_nan(v[:, :1])
        # The gradient of a value that `where` leaves out must be finite, too.
        known = tf.where(is_missing, tf.zeros_like(v), v)
        if self.normalise:
            # Large values would overflow in their squares.
            largest = tf.reduce_max(tf.abs(known), axis=1, keepdims=True)
            known = tf.math.divide_no_nan(known, largest)
            length = tf.sqrt(tf.reduce_sum(tf.square(known), axis=1, keepdims=True))
            known = tf.math.divide_no_nan(known, length)
        return tf.where(is_missing, self.missing, self.norm(self.product(known)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "normalise": self.normalise}

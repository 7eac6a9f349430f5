"""Normalisation of the units of each expert, row by row."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_EPSILON = 1e-6


@tf.keras.utils.register_keras_serializable("fulcrum")
class RMSNorm(tf.keras.layers.Layer):
    """Units divided by their root mean square: y = γ ⊙ z / √(mean(z²) + 10⁻⁶).

    The mean is over the last axis, so each row and each expert is normalised by itself: training
    and serving compute the same, whatever the batch. γ starts at 1 and is learnt for each unit.

    Call arguments:
        z: the units of each expert before their activation, (B, E, U).

    Returns:
        The normalised units, (B, E, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import RMSNorm
        >>> print(RMSNorm()(tf.constant([[[3.0, 4.0], [30.0, 40.0]]])).numpy().round(2))
        [[[0.85 1.13]
          [0.85 1.13]]]

    References:
        Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019:
        https://arxiv.org/abs/1910.07467
    """

    def build(self, input_shape: tf.TensorShape) -> None:
        self.gain = self.add_weight(name="gain", shape=input_shape[1:], initializer="ones")
        self.built = True

    def call(self, z: tf.Tensor) -> tf.Tensor:
        # Squares are summed in float32, whatever the precision of the layer.
        squares = tf.square(tf.cast(z, tf.float32))
        scale = tf.math.rsqrt(tf.reduce_mean(squares, axis=-1, keepdims=True) + _EPSILON)
        return z * tf.cast(scale, z.dtype) * self.gain

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config())

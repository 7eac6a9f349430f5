"""The cross-stitch unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable("fulcrum")
class CrossStitchUnit(tf.keras.layers.Layer):
    """x̃_i = Σ_j α_ij x_j over the tasks' layers (Misra et al., CVPR 2016, Eq 1).

    α is not constrained after its start near the identity.

    Args:
        per_channel: whether each unit has an α of its own rather than one a layer. Defaults to
            False.
        own_share: initial α_ii; the rest is spread over the other tasks. Defaults to 0.9.
    """

    def __init__(self, per_channel: bool = False, own_share: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 < own_share <= 1.0:
            raise ValueError(f"`own_share` must lie in (0, 1]. Received: {own_share}")
        self.per_channel, self.own_share = per_channel, own_share

    def build(self, input_shape: tf.TensorShape) -> None:
        tasks, units = int(input_shape[1]), int(input_shape[2])
        start = np.full((tasks, tasks), (1.0 - self.own_share) / max(tasks - 1, 1), np.float32)
        np.fill_diagonal(start, self.own_share if tasks > 1 else 1.0)
        if self.per_channel:
            start = np.repeat(start[:, :, np.newaxis], units, axis=2)
        self.alpha = self.add_weight(
            name="alpha", shape=start.shape, initializer=tf.keras.initializers.Constant(start)
        )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(B, K, U) → (B, K, U)."""
        return tf.einsum("iju,bju->biu" if self.per_channel else "ij,bju->biu", self.alpha, x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "per_channel": self.per_channel,
            "own_share": self.own_share,
        }

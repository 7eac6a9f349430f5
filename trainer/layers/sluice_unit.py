"""The sluice unit."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf

SUBSPACES = 2
_OWN_SHARE = 0.95


@tf.keras.utils.register_keras_serializable("fulcrum")
class SluiceUnit(tf.keras.layers.Layer):
    """Mixes the two subspaces of every task's layer with an α of (2K, 2K) (Ruder et al., AAAI 2019, Eq 2).

    Args:
        initial_mixture: `balanced`, 1/2K everywhere, or `imbalanced`, .95 for a subspace itself.
            Defaults to `imbalanced`.
    """

    def __init__(
        self, initial_mixture: Literal["balanced", "imbalanced"] = "imbalanced", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if initial_mixture not in ("balanced", "imbalanced"):
            raise ValueError(
                f"`initial_mixture` must be 'balanced' or 'imbalanced'. Received: {initial_mixture!r}"
            )
        self.initial_mixture = initial_mixture

    def build(self, input_shape: tf.TensorShape) -> None:
        tasks, units = int(input_shape[1]), int(input_shape[2])
        if units % SUBSPACES:
            raise ValueError(f"a layer's units must be even, for two subspaces. Received: {units}")
        size = SUBSPACES * tasks
        start = np.full((size, size), 1.0 / size, np.float32)
        if self.initial_mixture == "imbalanced":
            start[:] = (1.0 - _OWN_SHARE) / (size - 1)
            np.fill_diagonal(start, _OWN_SHARE)
        self.alpha = self.add_weight(
            name="alpha", shape=start.shape, initializer=tf.keras.initializers.Constant(start)
        )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(B, K, U) → (B, K, U)."""
        tasks, units = x.shape[1], x.shape[2]
        subspaces = tf.reshape(x, [-1, SUBSPACES * tasks, units // SUBSPACES])
        return tf.reshape(tf.einsum("ij,bju->biu", self.alpha, subspaces), [-1, tasks, units])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_mixture": self.initial_mixture}


def subspace_overlap(kernel: tf.Tensor) -> tf.Tensor:
    """‖G1ᵀ G2‖²_F of the two halves of a layer's matrix, summed over tasks (Ruder et al., Eq 3): (K, I, U) → a scalar."""
    first, second = tf.split(kernel, SUBSPACES, axis=-1)
    return tf.reduce_sum(tf.square(tf.matmul(first, second, transpose_a=True)))

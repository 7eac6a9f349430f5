"""Units that mix the layers of all tasks linearly: cross-stitch and sluice."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf

SUBSPACES = 2
_OWN_SHARE = 0.95


@tf.keras.utils.register_keras_serializable("fulcrum")
class CrossStitchUnit(tf.keras.layers.Layer):
    """A linear mixture of the tasks' layers: x̃_i = Σ_j α_ij x_j (Misra et al., Eq 1).

    α starts near the identity and is not constrained afterwards.

    Args:
        per_channel: whether each unit has an α of its own rather than one a layer. Defaults to
            False.
        own_share: the initial α_ii; the rest is spread over the other tasks. Defaults to 0.9.

    Call arguments:
        x: a layer of each task, (B, K, U).

    Returns:
        The mixed layers, (B, K, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import CrossStitchUnit
        >>> unit = CrossStitchUnit(own_share=0.75)
        >>> unit(tf.constant([[[4.0], [8.0]]])).numpy().tolist()
        [[[5.0], [7.0]]]

    References:
        Misra et al., Cross-stitch networks for multi-task learning, CVPR 2016:
        https://arxiv.org/abs/1604.03539
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
        return tf.einsum("iju,bju->biu" if self.per_channel else "ij,bju->biu", self.alpha, x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "per_channel": self.per_channel,
            "own_share": self.own_share,
        }


@tf.keras.utils.register_keras_serializable("fulcrum")
class SluiceUnit(tf.keras.layers.Layer):
    """A linear mixture of the two subspaces of every task's layer, by an α of (2K, 2K).

    It is Eq 2 of Ruder et al.

    Args:
        initial_mixture: `balanced` starts α at 1/2K everywhere, `imbalanced` at .95 for a subspace
            itself. Defaults to `imbalanced`.

    Call arguments:
        x: a layer of each task, (B, K, U); U is even.

    Returns:
        The mixed layers, (B, K, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import SluiceUnit
        >>> unit = SluiceUnit(initial_mixture="balanced")
        >>> unit(tf.constant([[[0.0, 4.0], [8.0, 12.0]]])).numpy().tolist()
        [[[6.0, 6.0], [6.0, 6.0]]]

    References:
        Ruder et al., Latent multi-task architecture learning, AAAI 2019:
        https://arxiv.org/abs/1705.08142
    """

    def __init__(
        self, initial_mixture: Literal["balanced", "imbalanced"] = "imbalanced", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if initial_mixture not in ("balanced", "imbalanced"):
            raise ValueError(
                "`initial_mixture` must be 'balanced' or 'imbalanced'. "
                f"Received: {initial_mixture!r}"
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
        tasks, units = x.shape[1], x.shape[2]
        subspaces = tf.reshape(x, [-1, SUBSPACES * tasks, units // SUBSPACES])
        return tf.reshape(tf.einsum("ij,bju->biu", self.alpha, subspaces), [-1, tasks, units])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_mixture": self.initial_mixture}


def subspace_overlap(kernel: tf.Tensor) -> tf.Tensor:
    """Compute ‖G1ᵀ G2‖²_F of the two halves of each task's matrix (Ruder et al., Eq 3).

    Args:
        kernel: the matrices of one layer, (K, I, U).

    Returns:
        The sum over tasks, a scalar.
    """
    first, second = tf.split(kernel, SUBSPACES, axis=-1)
    return tf.reduce_sum(tf.square(tf.matmul(first, second, transpose_a=True)))

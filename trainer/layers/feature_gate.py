"""The gate that gives each expert features of its own: HoME's feature gate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.flat_input import FlatInput, input_width, product

# A gate starts near 1: what an expert reads is then near the input.
_START_SPREAD = 0.02


@tf.keras.utils.register_keras_serializable("fulcrum")
class FeatureGate(tf.keras.layers.Layer):
    """A gate of low rank on each feature, for each expert: x_e = x ⊙ 2σ(x B_e A_e).

    Experts that read one input train its embeddings against each other; with gates each reads the
    features in a scale of its own. The gates are between 0 and 2 and start near 1.

    Args:
        experts: E, the number of experts.
        rank: r, the width of x B_e.

    Call arguments:
        x: a flat input, (B, I), or a `FlatInput`, of which the request's part of x B_e is computed
            once.

    Returns:
        The input of each expert, (B, E, I).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import FeatureGate
        >>> FeatureGate(experts=3, rank=4)(tf.ones([2, 10])).shape
        TensorShape([2, 3, 10])

    References:
        HoME, Wang et al., KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def __init__(self, experts: int, rank: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if experts < 1 or rank < 1:
            raise ValueError(
                f"`experts` and `rank` must be at least 1. Received: {experts}, {rank}"
            )
        self.experts, self.rank = experts, rank

    def build(self, input_shape: Any) -> None:
        width = input_width(input_shape)
        # The matrices B stand side by side, since they read one input.
        self.down = self.add_weight(
            name="down",
            shape=(width, self.experts * self.rank),
            initializer=side_by_side_glorot(width, self.rank),
        )
        self.up = self.add_weight(
            name="up",
            shape=(self.experts, self.rank, width),
            initializer=tf.keras.initializers.RandomNormal(stddev=_START_SPREAD),
        )
        self.built = True

    def call(self, x: tf.Tensor | FlatInput) -> tf.Tensor:
        gates = self.gates(x)
        if not isinstance(x, FlatInput):
            return gates * x[:, tf.newaxis, :]
        of_request, of_candidate = tf.split(
            gates, [x.request.shape[-1], x.candidate.shape[-1]], axis=2
        )
        return tf.concat(
            [of_request * x.request[:, tf.newaxis], of_candidate * x.candidate[:, tf.newaxis]],
            axis=2,
        )

    def gates(self, x: tf.Tensor | FlatInput) -> tf.Tensor:
        """Return the gates 2σ(x B_e A_e) of each expert and feature, (B, E, I)."""
        low = tf.reshape(product(x, self.down), [-1, self.experts, self.rank])
        return 2.0 * tf.sigmoid(tf.einsum("ber,eri->bei", low, self.up))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "experts": self.experts, "rank": self.rank}

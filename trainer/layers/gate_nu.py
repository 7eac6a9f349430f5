"""Gate NU: gates in (0, 2) that prior information sets, the unit of PEPNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.flat_input import FlatInput, input_width, product

# γ of PEPNet, Eq 2: the bound of a gate, so that σ = ½ leaves a value as it is.
GAMMA = 2.0


@tf.keras.utils.register_keras_serializable("fulcrum")
class GateNU(tf.keras.layers.Layer):
    """Gates that scale each unit of some layers, as prior information has it.

    δ = γ σ(W₂ relu(W₁ [p; sg(x)] + b₁) + b₂) with γ = 2 (PEPNet, Eq 1–2), where p is what is known
    beforehand, such as the embeddings of the domain or of user and item, x is what the gates see
    besides, and sg stops its gradient: otherwise each gate would pull at all embeddings. W₂ and b₂
    start at 0, so each gate starts at exactly 1 and changes nothing.

    All gates share W₁, whose product is the large one; each set has rows of W₂ of its own. W₁ is
    two kernels, so that in a ranking request the user's parts of both are computed once.

    Args:
        units: the units of the hidden layer.
        sizes: the number of gates of each set.

    Call arguments:
        inputs: the pair [p, x], (B, P) and (B, I), or a `FlatInput` for one or both.

    Returns:
        The gates of each set, (B, size).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import GateNU
        >>> prior, x = tf.ones([5, 4]), tf.ones([5, 10])
        >>> gates = GateNU(units=8, sizes=[10, 3])([prior, x])
        >>> [gate.shape.as_list() for gate in gates]
        [[5, 10], [5, 3]]
        >>> bool(tf.reduce_all(gates[0] == 1.0))
        True

    References:
        PEPNet, Chang et al., KDD 2023: https://arxiv.org/abs/2302.01115
    """

    def __init__(self, units: int, sizes: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1 or not sizes or min(sizes) < 1:
            raise ValueError(
                "`units` and each of `sizes` must be at least 1. "
                f"Received: units={units}, sizes={list(sizes)}"
            )
        self.units, self.sizes = units, tuple(sizes)

    def build(self, input_shape: Any) -> None:
        prior, width = map(input_width, input_shape)
        self.prior_kernel, self.input_kernel = (
            self.add_weight(
                name=f"{name}_kernel",
                shape=(rows, self.units),
                initializer=side_by_side_glorot(prior + width, self.units),
            )
            for name, rows in (("prior", prior), ("input", width))
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.head_kernel = self.add_weight(
            name="head_kernel", shape=(self.units, sum(self.sizes)), initializer="zeros"
        )
        self.head_bias = self.add_weight(
            name="head_bias", shape=(sum(self.sizes),), initializer="zeros"
        )
        self.built = True

    def call(self, inputs: Sequence[tf.Tensor | FlatInput]) -> list[tf.Tensor]:
        prior, x = inputs
        seen = tf.nest.map_structure(tf.stop_gradient, x)
        h = tf.nn.relu(
            product(prior, self.prior_kernel, self.bias) + product(seen, self.input_kernel)
        )
        gates = GAMMA * tf.sigmoid(tf.nn.bias_add(tf.matmul(h, self.head_kernel), self.head_bias))
        return tf.split(gates, self.sizes, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "sizes": self.sizes}

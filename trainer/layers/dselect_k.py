"""DSelect-k gates: sparse mixtures of at most k experts that are trained by gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

# What keeps a logarithm and a quotient finite.
_EPSILON = 1e-6


def smooth_step(t: tf.Tensor, width: float) -> tf.Tensor:
    """Compute S(t): 0 up to −γ/2, 1 from γ/2 on, and −2t³/γ³ + 3t/(2γ) + ½ between.

    Args:
        t: any tensor.
        width: γ, the width of the part that has a gradient.
    """
    between = -2.0 * (t / width) ** 3 + 1.5 * t / width + 0.5
    return tf.where(
        t <= -width / 2, tf.zeros_like(t), tf.where(t >= width / 2, tf.ones_like(t), between)
    )


@tf.keras.utils.register_keras_serializable("fulcrum")
class DSelectKGate(tf.keras.layers.Layer):
    """Static gates that mix at most k of n experts each: v_g = Σ_e q_ge u_e.

    q_g = Σ_j softmax(w_g)_j r(z_gj) over j = 1 … k (Hazimeh et al., section 3). A selector r(z)
    spells an expert's number in ⌈log₂ n⌉ bits: r(z)_e = Π S(z_b) over the bits of e that are 1,
    times Π (1 − S(z_b)) over the others, with the smooth step S. Once all |z_b| are γ/2 or more, a
    selector has chosen one expert and all its other weights are exactly 0. The gates are the same
    for all rows, so that what no gate reads need not be computed.

    Codes without an expert, if n is no power of 2, take weight away from the experts;
    `unused_codes()` keeps selectors from them, and `entropy()` makes them choose. Add both to the
    loss.

    Args:
        gates: the number of gates.
        selected: k, the most experts that a gate mixes.
        width: γ of the smooth step.

    Call arguments:
        u: the outputs of the n experts, (B, n, U).

    Returns:
        The mixture of each gate, (B, gates, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import DSelectKGate
        >>> gate = DSelectKGate(gates=1, selected=2)
        >>> gate(tf.ones([5, 4, 16])).shape
        TensorShape([5, 1, 16])
        >>> gate.codes.assign([[[-1.0, 1.0], [1.0, 1.0]]]).shape  # experts 1 and 3, in bits
        TensorShape([1, 2, 2])
        >>> gate.logits.assign([[0.0, 0.0]]).shape
        TensorShape([1, 2])
        >>> gate.values().numpy().tolist()
        [[0.0, 0.5, 0.0, 0.5]]

    References:
        Hazimeh et al., DSelect-k: differentiable selection in the mixture of experts with
        applications to multi-task learning, NeurIPS 2021: https://arxiv.org/abs/2106.03760
    """

    def __init__(self, gates: int, selected: int, width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if gates < 1 or selected < 1 or width <= 0.0:
            raise ValueError(
                "`gates` and `selected` must be at least 1, and `width` above 0. "
                f"Received: {gates}, {selected}, {width}"
            )
        self.gates, self.selected, self.width = gates, selected, width

    def build(self, input_shape: tf.TensorShape) -> None:
        experts = int(input_shape[1])
        if not self.selected <= experts or experts < 2:
            raise ValueError(
                "there must be two experts or more, and as many as `selected`. "
                f"Received: {experts} experts, selected={self.selected}"
            )
        bits = math.ceil(math.log2(experts))
        uniform = tf.keras.initializers.RandomUniform
        self.codes = self.add_weight(
            name="selection_codes",
            shape=(self.gates, self.selected, bits),
            initializer=uniform(-self.width / 100.0, self.width / 100.0),
        )
        self.logits = self.add_weight(
            name="selection_logits",
            shape=(self.gates, self.selected),
            initializer=uniform(-0.05, 0.05),
        )
        # The bits of each expert's number, highest first, (n, bits).
        numbers = np.arange(experts)[:, np.newaxis]
        self._bits = (numbers >> np.arange(bits)[::-1]) % 2 == 1
        self.built = True

    def call(self, u: tf.Tensor) -> tf.Tensor:
        return tf.einsum("ge,beu->bgu", tf.cast(self.values(), u.dtype), u)

    def selectors(self) -> tf.Tensor:
        """Return r, (gates, k, n). A row sums to 1, less what codes without an expert have."""
        ones = smooth_step(tf.cast(self.codes, tf.float32), self.width)[:, :, tf.newaxis]
        return tf.reduce_prod(tf.where(self._bits, ones, 1.0 - ones), axis=3)

    def values(self) -> tf.Tensor:
        """Return q, the weight of each expert in each gate, (gates, n)."""
        weights = tf.nn.softmax(tf.cast(self.logits, tf.float32))
        return tf.einsum("gk,gke->ge", weights, self.selectors())

    def entropy(self) -> tf.Tensor:
        """Return Σ −r log r over all selectors, a scalar: 0 once each has chosen one expert."""
        r = self.selectors()
        return -tf.reduce_sum(r * tf.math.log(r + _EPSILON))

    def unused_codes(self) -> tf.Tensor:
        """Return Σ_j (1 / Σ_e r_je − 1), a scalar: 0 if no weight is on codes without an expert."""
        return tf.reduce_sum(1.0 / (tf.reduce_sum(self.selectors(), axis=2) + _EPSILON) - 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gates": self.gates,
            "selected": self.selected,
            "width": self.width,
        }

"""Hard-concrete gates: 0, 1 or between, and trained by gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# Values of Louizos et al.; SNR and MSSM give none of their own.
BETA, GAMMA, ZETA = 2.0 / 3.0, -0.1, 1.1
_START_SPREAD = 0.01
# The noise stays this far from 0 and 1, whose logits are infinite.
_EPSILON = 1e-6


@tf.keras.utils.register_keras_serializable("fulcrum")
class HardConcreteGate(tf.keras.layers.Layer):
    """Gates z = min(1, max(0, s·(ζ−γ) + γ)) with s = σ((log u − log(1−u) + log α)/β), u ~ U(0, 1).

    (Louizos et al., ICLR 2018, Eq 10–12; SNR, Ma et al., AAAI 2019.) One draw serves a whole batch.
    Outside of training there is no noise and no β: ẑ = min(1, max(0, σ(log α)·(ζ−γ) + γ)), the same
    on every call.

    Args:
        shape: of the gates.
    """

    def __init__(self, shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape: Any = None) -> None:
        del input_shape
        # As likely open as closed: log α near logit(.5) = 0.
        start = tf.keras.initializers.RandomNormal(stddev=_START_SPREAD)
        self.log_alpha = self.add_weight(name="log_alpha", shape=self.shape, initializer=start)
        self.built = True

    def values(self, training: bool | None = None) -> tf.Tensor:
        """Z in training, else ẑ: of `shape`, each in [0, 1]."""
        log_alpha = tf.cast(self.log_alpha, self.compute_dtype)
        if training:
            u = tf.random.uniform(self.shape, _EPSILON, 1.0 - _EPSILON, dtype=log_alpha.dtype)
            s = tf.sigmoid((tf.math.log(u) - tf.math.log1p(-u) + log_alpha) / BETA)
        else:
            s = tf.sigmoid(log_alpha)
        return tf.clip_by_value(s * (ZETA - GAMMA) + GAMMA, 0.0, 1.0)

    def expected_open(self) -> tf.Tensor:
        """The L0 penalty: Σ P(z ≠ 0) = Σ σ(log α − β·log(−γ/ζ)), a scalar."""
        return tf.reduce_sum(tf.sigmoid(self.log_alpha - BETA * math.log(-GAMMA / ZETA)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape}

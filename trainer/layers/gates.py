"""Gates: softmax weights over experts, and hard-concrete gates that open and close connections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.flat_input import FlatInput, input_width, product
from trainer.layers.noise import uniform_noise

# The constants of Louizos et al.; SNR and MSSM state none of their own.
BETA, GAMMA, ZETA = 2.0 / 3.0, -0.1, 1.1
_START_SPREAD = 0.01
# The noise stays this far from 0 and 1, whose logits are infinite.
_EPSILON = 1e-6


@tf.keras.utils.register_keras_serializable("fulcrum")
class Gates(tf.keras.layers.Layer):
    """Linear softmax gates without bias: w(x) = softmax(W_g x) (MMoE, Eq 7; PLE, Eq 3).

    All gates that read one input are computed in one matrix product.

    Args:
        sizes: the number of experts that each gate weighs.

    Call arguments:
        x: a flat input, (B, I), or a `FlatInput`.

    Returns:
        The weights of each gate, (B, size), whose rows sum to 1.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import Gates
        >>> [gate.shape.as_list() for gate in Gates(sizes=[4, 6])(tf.ones([2, 10]))]
        [[2, 4], [2, 6]]

    References:
        - MMoE, Ma et al., KDD 2018: https://doi.org/10.1145/3219819.3220007
        - PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(self, sizes: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1:
            raise ValueError(
                "`sizes` must hold a number of experts, at least 1, for each gate. "
                f"Received: {list(sizes)}"
            )
        self.sizes = tuple(sizes)

    def build(self, input_shape: Any) -> None:
        width = input_width(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, sum(self.sizes)),
            initializer=side_by_side_glorot(width, max(self.sizes)),
        )
        self.built = True

    def call(self, x: tf.Tensor | FlatInput) -> list[tf.Tensor]:
        logits = tf.split(product(x, self.kernel), self.sizes, axis=1)
        return [tf.nn.softmax(gate) for gate in logits]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


@tf.keras.utils.register_keras_serializable("fulcrum")
class SelfGates(Gates):
    """Gates of modules over their own experts: softmax, or a sigmoid over a single expert.

    A module adds its own experts to its mixture with these weights, s(x) = softmax(W x) or σ(W x).
    So they are trained by every row, however little the mixture chooses them (HoME, self gate).

    Args:
        sizes: the number of own experts of each module.

    Call arguments:
        x: a flat input, (B, I), or a `FlatInput`.

    Returns:
        The weights of each gate, (B, size).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import SelfGates
        >>> [gate.shape.as_list() for gate in SelfGates(sizes=[2, 1])(tf.ones([2, 10]))]
        [[2, 2], [2, 1]]

    References:
        HoME, Wang et al., KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def call(self, x: tf.Tensor | FlatInput) -> list[tf.Tensor]:
        logits = tf.split(product(x, self.kernel), self.sizes, axis=1)
        return [
            tf.sigmoid(gate) if size == 1 else tf.nn.softmax(gate)
            for gate, size in zip(logits, self.sizes, strict=True)
        ]


def mixture(weights: tf.Tensor, blocks: Sequence[tf.Tensor]) -> tf.Tensor:
    """Compute the weighted sum of experts, w(x) S(x) (PLE, Eq 2).

    Args:
        weights: the weights of one gate, (B, E).
        blocks: the outputs of the E experts in order, in blocks (B, ·, U). Joining the blocks would
            copy them for each gate.

    Returns:
        The mixture, (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import mixture
        >>> experts = tf.constant([[[1.0, 0.0], [0.0, 8.0]]])
        >>> mixture(tf.constant([[0.75, 0.25]]), [experts]).numpy().tolist()
        [[0.75, 2.0]]
    """
    parts = zip(
        tf.split(weights, [block.shape[1] for block in blocks], axis=1), blocks, strict=True
    )
    # XLA fuses a product and a sum with the operations around them. It does not do so with a matrix
    # product for each row.
    return tf.add_n(
        [tf.reduce_sum(part[:, :, tf.newaxis] * block, axis=1) for part, block in parts]
    )


@tf.keras.utils.register_keras_serializable("fulcrum")
class HardConcreteGate(tf.keras.layers.Layer):
    """Gates in [0, 1] that can be exactly 0 or 1 and are still trained by gradient.

    z = min(1, max(0, s·(ζ−γ) + γ)) with s = σ((log u − log(1−u) + log α)/β) and u ~ U(0, 1)
    (Louizos et al., Eq 10–12). One draw serves a whole batch. Outside of training there is no noise
    and no β: ẑ = min(1, max(0, σ(log α)·(ζ−γ) + γ)), the same on every call. Add `expected_open()`
    to the loss, times a small λ, to close gates.

    Args:
        shape: the shape of the gates.
        start: log α at the start, to which a little noise is added. 0, the default, makes gates as
            likely open as closed.

    Call arguments:
        x: a tensor that the gates multiply; `shape` is broadcast to its last axes.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import HardConcreteGate
        >>> gate = HardConcreteGate(shape=[3])
        >>> gate(tf.ones([5, 3])).shape
        TensorShape([5, 3])
        >>> gate.log_alpha.assign([-9.0, 0.0, 9.0]).numpy().tolist()
        [-9.0, 0.0, 9.0]
        >>> gate.values().numpy().tolist()
        [0.0, 0.5, 1.0]

    References:
        - Louizos et al., Learning sparse neural networks through L0 regularization, ICLR 2018:
          https://arxiv.org/abs/1712.01312
        - SNR, Ma et al., AAAI 2019: https://doi.org/10.1609/aaai.v33i01.3301216
    """

    def __init__(self, shape: Sequence[int], start: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape, self.start = tuple(shape), start

    def build(self, input_shape: Any = None) -> None:
        del input_shape
        start = tf.keras.initializers.RandomNormal(self.start, _START_SPREAD)
        self.log_alpha = self.add_weight(name="log_alpha", shape=self.shape, initializer=start)
        self.built = True

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return x * self.values(training)

    def values(self, training: bool | None = None) -> tf.Tensor:
        """Return z in training and ẑ otherwise, in the gates' shape."""
        log_alpha = tf.cast(self.log_alpha, self.compute_dtype)
        if training:
            u = uniform_noise(self.shape, _EPSILON, 1.0 - _EPSILON, log_alpha.dtype)
            s = tf.sigmoid((tf.math.log(u) - tf.math.log1p(-u) + log_alpha) / BETA)
        else:
            s = tf.sigmoid(log_alpha)
        return tf.clip_by_value(s * (ZETA - GAMMA) + GAMMA, 0.0, 1.0)

    def expected_open(self) -> tf.Tensor:
        """Return the L0 penalty Σ P(z ≠ 0) = Σ σ(log α − β·log(−γ/ζ)), a scalar."""
        return tf.reduce_sum(tf.sigmoid(self.log_alpha - BETA * math.log(-GAMMA / ZETA)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shape": self.shape, "start": self.start}

"""Gates: softmax weights over experts, several gates that read one input in one matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.flat_input import FlatInput, input_width, product
from trainer.layers.initial_weights import side_by_side_glorot


@tf.keras.utils.register_keras_serializable("fulcrum")
class Gates(tf.keras.layers.Layer):
    """Linear gates without bias: w(x) = softmax(W_g x) (MMoE, Eq 7; PLE, Eq 3).

    Args:
        sizes: number of experts that each gate weighs.
    """

    def __init__(self, sizes: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1:
            raise ValueError(
                f"`sizes` must hold a number of experts, at least 1, for each gate. Received: {list(sizes)}"
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
        """(B, I) → for each gate (B, size), rows of which sum to 1."""
        logits = tf.split(product(x, self.kernel), self.sizes, axis=1)
        return [tf.nn.softmax(gate) for gate in logits]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


def mixture(weights: tf.Tensor, blocks: Sequence[tf.Tensor]) -> tf.Tensor:
    """W S, the weighted sum of experts (PLE, Eq 2).

    Args:
        weights: (B, E).
        blocks: the E experts in order, cut into blocks (B, ·, U). Joining them would copy them for
            each gate.

    Returns:
        (B, U).
    """
    parts = zip(
        tf.split(weights, [block.shape[1] for block in blocks], axis=1), blocks, strict=True
    )
    # XLA fuses a product and a sum with what surrounds them, which it does not do with a matrix
    # product a row.
    return tf.add_n(
        [tf.reduce_sum(part[:, :, tf.newaxis] * block, axis=1) for part, block in parts]
    )

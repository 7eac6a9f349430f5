"""What is left of dense layers side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.grouped_dense import GroupedDense
from trainer.layers.initial_weights import constant_weight


class OpenDense(tf.keras.layers.Layer):
    """relu(W_g v_g + b_g) of those layers that are read; of one that nothing feeds, relu(b_g).

    Args:
        dense: trained.
        fed: the units of each one's input that are left, by the number of the layer; layers that
            are not in it are not read.
    """

    def __init__(
        self, dense: GroupedDense, fed: Mapping[int, npt.NDArray[np.intp]], **kwargs: Any
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        kernel, bias = dense.kernel.numpy(), dense.bias.numpy()
        self.kernels = [
            constant_weight(self, f"kernel_{group}", kernel[group, units])
            for group, units in fed.items()
        ]
        self.biases = [constant_weight(self, f"bias_{group}", bias[group]) for group in fed]
        self.built = True

    def call(self, v: list[tf.Tensor]) -> list[tf.Tensor]:
        """Each (B, width) → each (B, U)."""
        return [
            tf.nn.relu(tf.matmul(one, kernel) + bias)
            for one, kernel, bias in zip(v, self.kernels, self.biases, strict=True)
        ]

    def multiplications(self) -> int:
        """Those of a row."""
        return sum(int(kernel.shape[0]) * int(kernel.shape[1]) for kernel in self.kernels)

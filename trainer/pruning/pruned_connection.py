"""What is open of a connection with hard-concrete gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.initial_weights import constant_weight


class OpenBlock(NamedTuple):
    """What a target reads of a source.

    Attributes:
        source: number of the input.
        target: number of the output.
        first: the target's first unit that it feeds; it feeds as many as it has columns, side by
            side.
        kernel: its matrix with the gates multiplied in, (units of the source, units that it feeds);
            or a gate alone, ().
    """

    source: int
    target: int
    first: int
    kernel: npt.NDArray[np.float32]


class OpenConnection(tf.keras.layers.Layer):
    """v_i = Σ_j M_ij u_j over the blocks that are open, each with its open cells only.

    Args:
        blocks: all that is open.
        widths: units of each target; 0 where nothing feeds it.
    """

    def __init__(self, blocks: Sequence[OpenBlock], widths: Sequence[int], **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.blocks, self.widths = list(blocks), list(widths)
        self.kernels = [
            constant_weight(self, f"kernel_{block.source}_{block.target}", block.kernel)
            for block in self.blocks
        ]
        self.built = True

    def call(self, u: list[tf.Tensor], rows: tf.Tensor) -> list[tf.Tensor]:
        """Each (B, units of a source) and B → each (B, units of a target)."""
        parts: list[list[tf.Tensor]] = [[] for _ in self.widths]
        for block, kernel in zip(self.blocks, self.kernels, strict=True):
            source = u[block.source]
            if block.kernel.ndim == 0:
                part = source * kernel
            else:
                after = self.widths[block.target] - block.first - block.kernel.shape[1]
                part = tf.matmul(source, kernel)
                if block.first or after:
                    part = tf.pad(part, [[0, 0], [block.first, after]])
            parts[block.target].append(part)
        return [
            tf.add_n(of_target) if of_target else tf.zeros([rows, width], self.compute_dtype)
            for of_target, width in zip(parts, self.widths, strict=True)
        ]

    def multiplications(self) -> int:
        """Those of a row."""
        return sum(
            block.kernel.size if block.kernel.ndim else self.widths[block.target]
            for block in self.blocks
        )

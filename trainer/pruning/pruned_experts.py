"""What experts of one layer compute once they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput, product
from trainer.layers.initial_weights import constant_weight
from trainer.pruning.value_bounds import InputFields, units_that_fire


def firing_units(experts: Experts, number: int, inputs: InputFields) -> npt.NDArray[np.intp]:
    """The units of an expert that some input lets fire, by position."""
    units = experts.units[0]
    kernel = experts.kernels[0].numpy()[:, number * units : (number + 1) * units]
    most = [
        value.most(kernel[columns])
        for value, columns in zip(inputs.values, inputs.columns, strict=True)
    ]
    return units_that_fire(experts.biases[0].numpy()[number], most, len(kernel))


class OpenExperts(tf.keras.layers.Layer):
    """h_j = relu(W_j x + b_j), those of its units that are read and can be above 0, in one product.

    Args:
        experts: trained, of a single layer.
        units: those that are left of which experts, by their number.
        field_widths: D of each field in the order of the flattened input.
    """

    def __init__(
        self,
        experts: Experts,
        units: dict[int, npt.NDArray[np.intp]],
        field_widths: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.field_widths = list(field_widths)
        self.sizes = [len(left) for left in units.values()]
        columns = [
            number * experts.units[0] + unit for number, left in units.items() for unit in left
        ]
        self.kernel = constant_weight(self, "kernel", experts.kernels[0].numpy()[:, columns])
        self.bias = constant_weight(self, "bias", experts.biases[0].numpy().ravel()[columns])
        self.built = True

    def call(self, x: tf.Tensor | FlatInput) -> list[tf.Tensor]:
        """(B, I) → each (B, units of an expert)."""
        return tf.split(tf.nn.relu(product(x, self.kernel) + self.bias), self.sizes, axis=1)

    def multiplications(self, first: int, last: int) -> int:
        """Those of a row with fields first … last−1."""
        return sum(self.field_widths[first:last]) * sum(self.sizes)

"""A trained FSCM without the fields and units that no input opens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.flat_input import FlatInput
from trainer.layers.fscm import FSCM
from trainer.pruning.pruned_layers import constant_weight
from trainer.pruning.value_bounds import InputFields, units_that_fire


class PrunedSubnetwork(NamedTuple):
    """The rest of a sub-network.

    Attributes:
        fields: the fields that some input opens, by position.
        units: the units that some input lets fire, by position.
    """

    fields: tuple[int, ...]
    units: npt.NDArray[np.intp]


def prune_subnetwork(fscm: FSCM, number: int, inputs: InputFields) -> PrunedSubnetwork:
    """Find the fields and units of a sub-network that some input opens."""
    query, kernel = fscm.query.numpy()[number], fscm.kernel.numpy()[number]
    columns, values, biases = inputs.columns, inputs.values, _biases(fscm)[number]
    fields = tuple(
        field
        for field, value in enumerate(values)
        if not value.masked_by(query[columns[field]], float(biases[field]))
    )
    most = [
        values[field].most(kernel[columns[field]], query[columns[field]], float(biases[field]))
        for field in fields
    ]
    return PrunedSubnetwork(fields, units_that_fire(fscm.bias.numpy()[number], most, len(query)))


def _biases(fscm: FSCM) -> npt.NDArray[np.float32]:
    """Return the biases of the masks of all fields, (J, F)."""
    biases = np.zeros((fscm.subnetworks, len(fscm.field_widths)), np.float32)
    biases[:, np.array(fscm.has_bias, bool)] = fscm.mask_bias.numpy()
    return biases


class PrunedFSCM(tf.keras.layers.Layer):
    """u_j = ReLU(W_j E_j + b_j) over the fields that are open to j, for the units that can fire.

    Args:
        fscm: a trained FSCM.
        subnetworks: the rest of each sub-network that is read, by its number.
        inputs: the fields of the flattened input that `fscm` reads.
        fields: the fields that are left, by position.
    """

    def __init__(
        self,
        fscm: FSCM,
        subnetworks: dict[int, PrunedSubnetwork],
        inputs: InputFields,
        fields: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        columns = inputs.columns
        self.field_widths = [inputs.widths[field] for field in fields]
        self.has_bias = [fscm.has_bias[field] for field in fields]
        # Positions are counted among `fields`.
        self.open_fields = [
            [list(fields).index(field) for field in one.fields] for one in subnetworks.values()
        ]
        query, kernel, bias = (weight.numpy() for weight in (fscm.query, fscm.kernel, fscm.bias))
        read = _joined(columns, fields)
        self.query = constant_weight(self, "query", query[list(subnetworks)][:, read])
        self.mask_bias = constant_weight(
            self, "mask_bias", _biases(fscm)[list(subnetworks)][:, list(fields)]
        )
        self.kernels, self.biases = [], []
        for number, one in subnetworks.items():
            self.kernels.append(
                constant_weight(
                    self,
                    f"kernel_{number}",
                    kernel[number][_joined(columns, one.fields)][:, one.units],
                )
            )
            self.biases.append(constant_weight(self, f"bias_{number}", bias[number, one.units]))
        self.built = True

    def call(self, x: tf.Tensor | FlatInput) -> list[tf.Tensor]:
        """Map (B, I) to the units of each sub-network, (B, units)."""
        if not isinstance(x, FlatInput):
            sums = self._products(x, 0, len(self.field_widths))
        else:
            widths = list(itertools.accumulate(self.field_widths, initial=0))
            request_fields = widths.index(int(x.request.shape[-1]))
            request = self._products(x.request, 0, request_fields)
            candidate = self._products(x.candidate, request_fields, len(self.field_widths))
            sums = [one + other for one, other in zip(request, candidate, strict=True)]
        return [tf.nn.relu(total + bias) for total, bias in zip(sums, self.biases, strict=True)]

    def _products(self, x: tf.Tensor, first: int, last: int) -> list[tf.Tensor]:
        """Sum W_ji w_ij e_i over fields first … last−1: (B, their width) → each (B, units)."""
        masked: list[list[tf.Tensor]] = [[] for _ in self.kernels]
        begin, column = sum(self.field_widths[:first]), 0
        field = first
        for width, group in itertools.groupby(self.field_widths[first:last]):
            count = len(list(group))
            size = count * width
            embeddings = tf.reshape(x[:, column : column + size], [-1, count, width])
            query = tf.reshape(
                self.query[:, begin + column : begin + column + size], [-1, count, width]
            )
            scores = tf.einsum("bfd,jfd->jbf", embeddings, query)
            if any(self.has_bias[field : field + count]):
                scores += self.mask_bias[:, tf.newaxis, field : field + count]
            masks = tf.unstack(tf.nn.relu(tf.tanh(scores)), num=len(self.kernels))
            for parts, mask, open_fields in zip(masked, masks, self.open_fields, strict=True):
                of_group = [
                    position - field
                    for position in open_fields
                    if field <= position < field + count
                ]
                if of_group:
                    product = _taken(mask, of_group, count)[:, :, tf.newaxis] * _taken(
                        embeddings, of_group, count
                    )
                    parts.append(tf.reshape(product, [-1, len(of_group) * width]))
            column += size
            field += count
        sums = []
        for parts, kernel, open_fields in zip(masked, self.kernels, self.open_fields, strict=True):
            e = tf.concat(parts, axis=1) if parts else x[:, :0]
            row = self._width(open_fields, 0, first)
            sums.append(tf.matmul(e, kernel[row : row + self._width(open_fields, first, last)]))
        return sums

    def _width(self, open_fields: Sequence[int], first: int, last: int) -> int:
        return sum(self.field_widths[field] for field in open_fields if first <= field < last)

    def multiplications(self, first: int, last: int) -> int:
        """Count the multiplications per row for fields first … last−1."""
        # The masks of all fields; then products with the masks, and matrices, of open fields.
        total = len(self.kernels) * sum(self.field_widths[first:last])
        for kernel, open_fields in zip(self.kernels, self.open_fields, strict=True):
            total += self._width(open_fields, first, last) * (1 + int(kernel.shape[1]))
        return total


def _joined(columns: Sequence[slice], fields: Sequence[int]) -> list[int]:
    return [
        column for field in fields for column in range(columns[field].start, columns[field].stop)
    ]


def _taken(x: tf.Tensor, positions: list[int], count: int) -> tf.Tensor:
    """Take `positions` of axis 1, whose length is `count`."""
    return x if len(positions) == count else tf.gather(x, tf.constant(positions, tf.int32), axis=1)

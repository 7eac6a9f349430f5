"""Layers that compute what trained layers do, without the parts that add nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.dselect_k import DSelectKGate
from trainer.layers.experts import Experts, GroupedDense
from trainer.layers.flat_input import FlatInput, product
from trainer.layers.gated_connections import CSSM, SNRConnection
from trainer.layers.tower import Tower
from trainer.pruning.value_bounds import InputFields, units_that_fire

Positions = npt.NDArray[np.intp]
# The blocks of a connection with their gates multiplied in, by source and target: matrices (U, V),
# or the gates alone, (), if the connection has no matrices.
Folded = Mapping[tuple[int, int], npt.NDArray[np.float32]]


def constant_weight(
    layer: tf.keras.layers.Layer, name: str, value: npt.NDArray[np.float32]
) -> tf.Variable:
    """Add a weight to a layer that has its value already and is not trained."""
    return layer.add_weight(
        name=name, shape=value.shape, initializer=tf.constant_initializer(value), trainable=False
    )


def firing_units(experts: Experts, number: int, inputs: InputFields) -> Positions:
    """Return the units of an expert that some input lets fire."""
    units = experts.units[0]
    kernel = experts.kernels[0].numpy()[:, number * units : (number + 1) * units]
    most = [
        value.most(kernel[columns])
        for value, columns in zip(inputs.values, inputs.columns, strict=True)
    ]
    return units_that_fire(experts.biases[0].numpy()[number], most, len(kernel))


class PrunedExperts(tf.keras.layers.Layer):
    """h_j = ReLU(W_j x + b_j) for the units that are read and can be above 0, in one product.

    Args:
        experts: trained experts of a single layer.
        units: the units that are left of each expert, by the expert's number.
        field_widths: D of each field, in the order of the flattened input.
    """

    def __init__(
        self,
        experts: Experts,
        units: dict[int, Positions],
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
        """Map (B, I) to the units of each expert, (B, units)."""
        return tf.split(tf.nn.relu(product(x, self.kernel) + self.bias), self.sizes, axis=1)

    def multiplications(self, first: int, last: int) -> int:
        """Count the multiplications per row for fields first … last−1."""
        return sum(self.field_widths[first:last]) * sum(self.sizes)


@functools.singledispatch
def folded(connection: tf.keras.layers.Layer) -> Folded:
    """Multiply the gates of a trained connection into its matrices."""
    raise TypeError(f"{type(connection).__name__} is no connection with gates")


@folded.register
def _(connection: SNRConnection) -> Folded:
    z = tf.cast(connection.gate.values(), tf.float32)
    values = (
        z if connection.units is None else z[:, :, tf.newaxis, tf.newaxis] * connection.kernel
    ).numpy()
    return {(source, target): values[target, source] for target, source in np.ndindex(*z.shape)}


@folded.register
def _(connection: DSelectKGate) -> Folded:
    values = connection.values().numpy()
    return {(source, target): values[target, source] for target, source in np.ndindex(values.shape)}


@folded.register
def _(connection: CSSM) -> Folded:
    gates = tf.cast(connection.task_gate.values(), tf.float32)
    kernel = (gates[:, :, tf.newaxis, :] * connection.task_kernel).numpy()
    result = {
        (source, i): kernel[i, place]
        for i in range(connection.tasks)
        for place, source in enumerate((i, connection.tasks))
    }
    if connection.shared_row:
        gates = tf.cast(connection.shared_gate.values(), tf.float32)
        shared = (gates[:, tf.newaxis, :] * connection.shared_kernel).numpy()
        result |= {(source, connection.tasks): block for source, block in enumerate(shared)}
    return result


class OpenBlock(NamedTuple):
    """An open block of a connection: the part of a source that a target reads.

    Attributes:
        source: number of the input.
        target: number of the output.
        first: the first unit of the target that the block feeds; it feeds as many units as the
            kernel has columns, side by side.
        kernel: the matrix with the gates multiplied in, (units of the source, units that are fed);
            or a gate alone, ().
    """

    source: int
    target: int
    first: int
    kernel: npt.NDArray[np.float32]


class PrunedConnection(tf.keras.layers.Layer):
    """v_i = Σ_j M_ij u_j over the open blocks, each with its open cells only.

    Args:
        blocks: all open blocks.
        widths: the number of units of each target; 0 if nothing feeds it.
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
        """Map the units of each source, (B, units), and B to the units of each target."""
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
        """Count the multiplications per row."""
        return sum(
            block.kernel.size if block.kernel.ndim else self.widths[block.target]
            for block in self.blocks
        )


class PrunedDense(tf.keras.layers.Layer):
    """ReLU(W_g v_g + b_g) of the layers that are read, or ReLU(b_g) if nothing feeds a layer.

    Args:
        dense: trained layers.
        fed: the units that are left of each layer's input, by the layer's number; layers that are
            missing here are not read.
    """

    def __init__(self, dense: GroupedDense, fed: Mapping[int, Positions], **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        kernel, bias = dense.kernel.numpy(), dense.bias.numpy()
        self.kernels = [
            constant_weight(self, f"kernel_{group}", kernel[group, units])
            for group, units in fed.items()
        ]
        self.biases = [constant_weight(self, f"bias_{group}", bias[group]) for group in fed]
        self.built = True

    def call(self, v: list[tf.Tensor]) -> list[tf.Tensor]:
        """Map the input of each layer, (B, width), to its output, (B, U)."""
        return [
            tf.nn.relu(tf.matmul(one, kernel) + bias)
            for one, kernel, bias in zip(v, self.kernels, self.biases, strict=True)
        ]

    def multiplications(self) -> int:
        """Count the multiplications per row."""
        return sum(int(kernel.shape[0]) * int(kernel.shape[1]) for kernel in self.kernels)


def pruned_tower(tower: Tower, units: Positions) -> Tower:
    """Return a tower for a representation of which only `units` are left; all others are 0."""
    layers = [*tower.hidden, tower.logit]
    result: Tower = type(tower).from_config(tower.get_config())
    # The mean and the deviation of labels, or the cuts of a head.
    for own, of_trained in zip(result.weights, tower.own_weights, strict=True):
        own.assign(of_trained)
    width = len(units)
    for trained, layer in zip(layers, [*result.hidden, result.logit], strict=True):
        layer.build([None, width])
        kernel, bias = trained.get_weights()
        layer.set_weights([kernel[units] if trained is layers[0] else kernel, bias])
        width = int(kernel.shape[1])
    result.trainable = False
    return result


def tower_multiplications(tower: Tower) -> int:
    """Count the multiplications of a tower per row."""
    return sum(int(np.prod(layer.kernel.shape)) for layer in [*tower.hidden, tower.logit])

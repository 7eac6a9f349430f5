"""A trained sharing architecture without the parts that add nothing, whatever the input.

These are closed gates, sub-networks that nothing reads, masked fields and units that never fire.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from feature_spec.artifacts.inspection import Multiplications, PruningCount
from trainer.layers.experts import Experts, GroupedDense
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.fscm import FSCM
from trainer.models.dselect_k import DSelectK
from trainer.models.mssm import MSSM
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.models.snr import SNR
from trainer.pruning.pruned_fscm import PrunedFSCM, prune_subnetwork
from trainer.pruning.pruned_layers import (
    Folded,
    OpenBlock,
    Positions,
    PrunedConnection,
    PrunedDense,
    PrunedExperts,
    firing_units,
    folded,
)
from trainer.pruning.value_bounds import InputFields


class Pruning(NamedTuple):
    """A pruned architecture, and the multiplications that it saves before the towers."""

    sharing: PrunedSharing
    multiplications: PruningCount


@functools.singledispatch
def prune(model: SharingArchitecture, inputs: InputFields) -> Pruning | None:
    """Prune a trained model.

    Dispatches on the model's class. A model without an entry cannot be pruned.

    Args:
        model: a trained model.
        inputs: bounds over the values of all fields.

    Returns:
        The pruned model, or None if the model has no gates that close.
    """
    del model, inputs
    return None


def can_be_pruned(model: SharingArchitecture) -> bool:
    """Tell whether a model has gates that close, so that `prune` may leave parts out."""
    return prune.dispatch(type(model)) is not prune.dispatch(object)


@prune.register
def _(model: SNR, inputs: InputFields) -> Pruning:
    connections = [folded(connection) for connection in [*model.connections, model.to_tasks]]
    return _prune_experts(model.first, connections, model.rest, model.tasks, inputs)


@prune.register
def _(model: DSelectK, inputs: InputFields) -> Pruning:
    return _prune_experts(model.experts, [folded(model.gate)], [], model.tasks, inputs)


@prune.register
def _(model: MSSM, inputs: InputFields) -> Pruning:
    connection = folded(model.connection)
    if model.field_sparsity:
        return _prune_fscm(model.subnetworks, connection, model.tasks, inputs)
    return _prune_experts(model.subnetworks, [connection], [], model.tasks, inputs)


class PrunedLevel(NamedTuple):
    """The rest of a connection, and of the layers that it feeds, if there are any."""

    connection: PrunedConnection
    dense: PrunedDense | None


class PrunedPart(NamedTuple):
    """The rest of all levels behind the first.

    Attributes:
        units: the units that are left of each sub-network of the first level that is read, by the
            sub-network's number.
        levels: the later levels, in order.
        representations: the units that are left of each task's representation.
    """

    units: dict[int, Positions]
    levels: list[PrunedLevel]
    representations: list[Positions]


class PrunedSharing(tf.keras.layers.Layer):
    """Computes what a trained architecture computes, without multiplying by zeros.

    Args:
        first: the layer that reads the flattened input; None if no sub-network is read.
        fields: the fields that `first` reads, by their positions in the flattened input.
        part: the levels behind the first.
        inputs: all fields.

    Attributes:
        fields: the fields that the architecture still reads, by position.
        representations: the units that are left of each task's representation.
    """

    def __init__(
        self,
        first: PrunedFSCM | PrunedExperts | None,
        fields: Sequence[int],
        part: PrunedPart,
        inputs: InputFields,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self.first, self.fields = first, list(fields)
        self.of_request = sum(field < inputs.of_request for field in self.fields)
        self.connections = [level.connection for level in part.levels]
        self.dense = [level.dense for level in part.levels]
        self.representations = part.representations

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Map the flattened `fields`, (B, I), to K representations, each (B, units left)."""
        del training
        x = as_flat_input(inputs)
        u = self.first(x) if self.first is not None else []
        rows = tf.shape(x.candidate if isinstance(x, FlatInput) else x)[0]
        for connection, dense in zip(self.connections, self.dense, strict=True):
            v = connection(u, rows)
            u = v if dense is None else dense(v)
        return u

    def multiplications(self) -> Multiplications:
        """Count the multiplications of a request and of a candidate."""
        layers: list[Any] = [
            *self.connections,
            *(dense for dense in self.dense if dense is not None),
        ]
        candidate = sum(layer.multiplications() for layer in layers)
        if self.first is None:
            return Multiplications(request=0, candidate=candidate)
        return Multiplications(
            request=self.first.multiplications(0, self.of_request),
            candidate=self.first.multiplications(self.of_request, len(self.fields)) + candidate,
        )


def _prune_fscm(fscm: FSCM, connection: Folded, tasks: int, inputs: InputFields) -> Pruning:
    """Prune an FSCM and the connection behind it, which leads to K tasks."""
    read = {source for (source, _), kernel in connection.items() if kernel.any()}
    left = {number: prune_subnetwork(fscm, number, inputs) for number in sorted(read)}
    part = prune_part([connection], [], tasks, lambda number: left[number].units)
    subnetworks = {number: left[number] for number in part.units}
    fields = sorted(inputs.always_read.union(*(one.fields for one in subnetworks.values())))
    first = PrunedFSCM(fscm, subnetworks, inputs, fields, name="fscm") if subnetworks else None
    # A column of the input is multiplied by the query, by the mask and by a row of the matrix.
    a_column = fscm.subnetworks * (2 + fscm.units)
    all_open = _all_open(inputs, a_column, [connection], fscm.units)
    return _pruning(PrunedSharing(first, fields, part, inputs, name="sharing"), all_open)


def _prune_experts(
    experts: Experts,
    connections: Sequence[Folded],
    dense: Sequence[GroupedDense],
    tasks: int,
    inputs: InputFields,
) -> Pruning:
    """Prune experts of one layer, the connections between levels and the one to K tasks."""
    units = experts.units[0]
    has_matrices = all(kernel.ndim for blocks in connections for kernel in blocks.values())

    def units_of(number: int) -> Positions:
        # Without matrices, unit u of a target is the sum of unit u of its sources: all sources keep
        # the same units.
        return firing_units(experts, number, inputs) if has_matrices else np.arange(units)

    part = prune_part(connections, dense, tasks, units_of)
    fields = list(range(len(inputs.values))) if part.units else sorted(inputs.always_read)
    first = (
        PrunedExperts(experts, part.units, inputs.widths, name="subnetworks")
        if part.units
        else None
    )
    all_open = _all_open(inputs, experts.experts * units, connections, units)
    all_open += Multiplications(
        request=0, candidate=sum(int(np.prod(layer.kernel.shape)) for layer in dense)
    )
    return _pruning(PrunedSharing(first, fields, part, inputs, name="sharing"), all_open)


def _pruning(sharing: PrunedSharing, all_open: Multiplications) -> Pruning:
    return Pruning(sharing, PruningCount(all_open=all_open, remaining=sharing.multiplications()))


def _all_open(
    inputs: InputFields, a_column: int, connections: Sequence[Folded], units: int
) -> Multiplications:
    """Count the multiplications before pruning.

    Args:
        inputs: all fields.
        a_column: multiplications of the first level for a column of the input.
        connections: the connections behind it.
        units: multiplications of a gate without a matrix.
    """
    kernels = [kernel for blocks in connections for kernel in blocks.values()]
    return Multiplications(
        request=a_column * sum(inputs.widths[: inputs.of_request]),
        candidate=a_column * sum(inputs.widths[inputs.of_request :])
        + sum(kernel.size if kernel.ndim else units for kernel in kernels),
    )


def prune_part(
    connections: Sequence[Folded],
    dense: Sequence[GroupedDense],
    tasks: int,
    units_of: Callable[[int], Positions],
) -> PrunedPart:
    """Prune the levels behind the first.

    Args:
        connections: the connections between the levels, and the one to the tasks.
        dense: the layers behind each connection but the last.
        tasks: K, the number of tasks.
        units_of: returns the units of a sub-network of the first level that can be above 0.
    """
    read = [list(range(tasks))]
    for blocks in reversed(connections):
        sources = {
            source
            for (source, target), kernel in blocks.items()
            if target in read[0] and kernel.any()
        }
        read.insert(0, sorted(sources))
    first = {source: left for source in read[0] if len(left := units_of(source))}
    levels: list[PrunedLevel] = []
    units: dict[int, Positions] = first
    for level, (blocks, targets) in enumerate(zip(connections, read[1:], strict=True)):
        opened: list[OpenBlock] = []
        fed: dict[int, Positions] = {}
        for number, target in enumerate(targets):
            of_target, fed[target] = _open_blocks(blocks, units, number, target)
            opened += of_target
        connection = PrunedConnection(
            opened, [len(fed[target]) for target in targets], name=f"connection_{level}"
        )
        behind = (
            PrunedDense(dense[level], fed, name=f"dense_{level}") if level < len(dense) else None
        )
        levels.append(PrunedLevel(connection, behind))
        units = (
            {target: np.arange(dense[level].units) for target in targets}
            if behind is not None
            else fed
        )
    return PrunedPart(first, levels, [units[task] for task in range(tasks)])


def _open_blocks(
    connection: Folded, units: Mapping[int, Positions], number: int, target: int
) -> tuple[list[OpenBlock], Positions]:
    """Find the open blocks of a target, which is output `number`, and the units that they feed."""
    kernels = {
        position: connection[source, target]
        if connection[source, target].ndim == 0
        else connection[source, target][left]
        for position, (source, left) in enumerate(units.items())
        if (source, target) in connection and connection[source, target].any()
    }
    if not kernels:
        return [], np.arange(0)
    if all(kernel.ndim == 0 for kernel in kernels.values()):
        blocks = [OpenBlock(position, number, 0, kernel) for position, kernel in kernels.items()]
        return blocks, next(iter(units.values()))
    opened = np.array([kernel.any(axis=0) for kernel in kernels.values()])
    fed = np.flatnonzero(opened.any(axis=0))
    # Units that only the first block feeds come first, and those that it does not feed last, so
    # that each of two blocks feeds neighbours only.
    fed = fed[np.lexsort([opened[-1, fed], ~opened[0, fed]])]
    blocks = []
    for (position, kernel), feeds in zip(kernels.items(), opened, strict=True):
        places = np.flatnonzero(feeds[fed])
        if places.size:
            span = fed[places[0] : places[-1] + 1]
            blocks.append(OpenBlock(position, number, int(places[0]), kernel[:, span]))
    return blocks, fed

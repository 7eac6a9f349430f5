"""A trained sharing architecture without what its gates closed and what no input reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.inspect.inspection import Multiplications, PruningCount
from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.fscm import FSCM
from trainer.layers.grouped_dense import GroupedDense
from trainer.pruning.pruned_connection import OpenBlock, OpenConnection
from trainer.pruning.pruned_dense import OpenDense
from trainer.pruning.pruned_experts import OpenExperts, firing_units
from trainer.pruning.pruned_fscm import OpenFSCM, open_subnetwork
from trainer.pruning.value_bounds import InputFields

Positions = npt.NDArray[np.intp]
# Matrices of a connection with the gates multiplied in, (U, V), by source and target; gates
# themselves, (), where it has none.
Folded = Mapping[tuple[int, int], npt.NDArray[np.float32]]


class OpenLevel(NamedTuple):
    """What is left of a connection and of the layers that it feeds, if any."""

    connection: OpenConnection
    dense: OpenDense | None


class OpenPart(NamedTuple):
    """What is left behind the first level.

    Attributes:
        units: those that are left of each sub-network of the first level that is read, by its
            number.
        levels: in order.
        representations: the units that are left of each task's representation.
    """

    units: dict[int, Positions]
    levels: list[OpenLevel]
    representations: list[Positions]


class Pruning(NamedTuple):
    """A pruned architecture, and what that saves before the towers."""

    sharing: PrunedSharing
    multiplications: PruningCount


class PrunedSharing(tf.keras.layers.Layer):
    """Computes what the architecture does, without multiplying by zeros.

    Args:
        first: reads the flattened input; None where no sub-network is read.
        fields: those of the flattened input that it reads, by position.
        part: behind the first level.
        inputs: all fields.

    Attributes:
        fields: as given.
        representations: the units that are left of each task's representation.
    """

    def __init__(
        self,
        first: OpenFSCM | OpenExperts | None,
        fields: Sequence[int],
        part: OpenPart,
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
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) of `fields` → K representations, each (B, units that are left of it)."""
        del training
        (x,) = inputs
        u = self.first(x) if self.first is not None else []
        rows = tf.shape(x.candidate if isinstance(x, FlatInput) else x)[0]
        for connection, dense in zip(self.connections, self.dense, strict=True):
            v = connection(u, rows)
            u = v if dense is None else dense(v)
        return u

    def multiplications(self) -> Multiplications:
        """Those of a request and of a candidate."""
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


def pruned_fscm(fscm: FSCM, folded: Folded, tasks: int, inputs: InputFields) -> Pruning:
    """Of an FSCM with a connection behind it that leads to K tasks."""
    read = {source for (source, _), kernel in folded.items() if kernel.any()}
    left = {number: open_subnetwork(fscm, number, inputs) for number in sorted(read)}
    part = open_part([folded], [], tasks, lambda number: left[number].units)
    subnetworks = {number: left[number] for number in part.units}
    fields = sorted(inputs.always_read.union(*(one.fields for one in subnetworks.values())))
    first = OpenFSCM(fscm, subnetworks, inputs, fields, name="fscm") if subnetworks else None
    # A column of the input is multiplied by the query, by the mask, and by a row of the matrix.
    a_column = fscm.subnetworks * (2 + fscm.units)
    all_open = _all_open(inputs, a_column, [folded], fscm.units)
    return _pruning(PrunedSharing(first, fields, part, inputs, name="sharing"), all_open)


def pruned_experts(
    experts: Experts,
    connections: Sequence[Folded],
    dense: Sequence[GroupedDense],
    tasks: int,
    inputs: InputFields,
) -> Pruning:
    """Of experts of one layer with connections behind them, between levels and then to K tasks."""
    units = experts.units[0]
    has_matrices = all(kernel.ndim for folded in connections for kernel in folded.values())

    def units_of(number: int) -> Positions:
        # Without a matrix each unit of a sum has a place of its own, so all sources keep the same
        # units.
        return firing_units(experts, number, inputs) if has_matrices else np.arange(units)

    part = open_part(connections, dense, tasks, units_of)
    fields = list(range(len(inputs.values))) if part.units else sorted(inputs.always_read)
    first = (
        OpenExperts(experts, part.units, inputs.widths, name="subnetworks") if part.units else None
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
    """Those of the first level, `a_column` for each column of the input, and of connections; a gate alone has `units`."""
    kernels = [kernel for folded in connections for kernel in folded.values()]
    return Multiplications(
        request=a_column * sum(inputs.widths[: inputs.of_request]),
        candidate=a_column * sum(inputs.widths[inputs.of_request :])
        + sum(kernel.size if kernel.ndim else units for kernel in kernels),
    )


def open_part(
    connections: Sequence[Folded],
    dense: Sequence[GroupedDense],
    tasks: int,
    units_of: Callable[[int], Positions],
) -> OpenPart:
    """What is left behind the first level.

    Args:
        connections: between the levels, and then to the tasks.
        dense: the layers behind each connection but the last.
        tasks: K.
        units_of: gives the units that can be above 0 of a sub-network of the first level.
    """
    read = [list(range(tasks))]
    for folded in reversed(connections):
        sources = {
            source
            for (source, target), kernel in folded.items()
            if target in read[0] and kernel.any()
        }
        read.insert(0, sorted(sources))
    first = {source: left for source in read[0] if len(left := units_of(source))}
    levels: list[OpenLevel] = []
    units: dict[int, Positions] = first
    for level, (folded, targets) in enumerate(zip(connections, read[1:], strict=True)):
        blocks: list[OpenBlock] = []
        fed: dict[int, Positions] = {}
        for number, target in enumerate(targets):
            of_target, fed[target] = _open_blocks(folded, units, number, target)
            blocks += of_target
        connection = OpenConnection(
            blocks, [len(fed[target]) for target in targets], name=f"connection_{level}"
        )
        behind = OpenDense(dense[level], fed, name=f"dense_{level}") if level < len(dense) else None
        levels.append(OpenLevel(connection, behind))
        units = (
            {target: np.arange(dense[level].units) for target in targets}
            if behind is not None
            else fed
        )
    return OpenPart(first, levels, [units[task] for task in range(tasks)])


def _open_blocks(
    folded: Folded, units: Mapping[int, Positions], number: int, target: int
) -> tuple[list[OpenBlock], Positions]:
    """The open blocks of a target, which is output `number`, and which of its units they feed, in the order that they do."""
    kernels = {
        position: folded[source, target]
        if folded[source, target].ndim == 0
        else folded[source, target][left]
        for position, (source, left) in enumerate(units.items())
        if (source, target) in folded and folded[source, target].any()
    }
    if not kernels:
        return [], np.arange(0)
    if all(kernel.ndim == 0 for kernel in kernels.values()):
        blocks = [OpenBlock(position, number, 0, kernel) for position, kernel in kernels.items()]
        return blocks, next(iter(units.values()))
    opened = np.array([kernel.any(axis=0) for kernel in kernels.values()])
    fed = np.flatnonzero(opened.any(axis=0))
    # First those that the first block alone feeds, last those that it does not: so each of two
    # blocks feeds neighbours only.
    fed = fed[np.lexsort([opened[-1, fed], ~opened[0, fed]])]
    blocks = []
    for (position, kernel), feeds in zip(kernels.items(), opened, strict=True):
        places = np.flatnonzero(feeds[fed])
        if places.size:
            span = fed[places[0] : places[-1] + 1]
            blocks.append(OpenBlock(position, number, int(places[0]), kernel[:, span]))
    return blocks, fed

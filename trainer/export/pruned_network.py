"""A trained network without what its gates closed: what is served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from feature_spec.artifacts.inspection import Multiplications, PruningCount
from trainer.layers.tower import Tower
from trainer.network.network import AssembledNetwork, Network
from trainer.network.network_layout import FieldRows
from trainer.pruning.pruned_layers import pruned_tower, tower_multiplications
from trainer.pruning.pruned_sharing import prune
from trainer.pruning.value_bounds import FieldValues, InputFields


class PrunedNetwork(NamedTuple):
    """A network that scores as the whole one does, to the rounding of float32.

    Attributes:
        network: with the tables of the whole one.
        multiplications: what pruning saved.
    """

    network: AssembledNetwork
    multiplications: PruningCount


def pruned_network(network: Network, rows: Sequence[FieldRows]) -> PrunedNetwork | None:
    """Leaves out what adds nothing whatever the input.

    Closed cells and connections; sub-networks that nothing reads; fields that a sub-network masks
    for each of their values, which are not looked up if all do so; units that stay at 0 for all
    values of all fields; what towers would read of these.

    Args:
        network: with its variables.
        rows: what values the fields can have, see `field_rows`.

    Returns:
        None if the model has no hard-concrete gates.
    """
    layout = network.layout
    tables = {width: table.numpy() for width, table in network.embeddings[0].tables.items()}
    values = tuple(
        FieldValues(None if one.rows is None else tables[str(width)][one.rows], one.is_list)
        for width, one in zip(layout.field_widths, rows, strict=True)
    )
    pruning = prune(
        network.sharing, InputFields(values, layout.field_widths, layout.request_fields)
    )
    if pruning is None:
        return None
    sharing = pruning.sharing
    towers = [
        pruned_tower(tower, units)
        for tower, units in zip(network.towers, sharing.representations, strict=True)
    ]
    before = pruning.multiplications
    return PrunedNetwork(
        AssembledNetwork(
            layout.with_fields(sharing.fields),
            network.embeddings,
            sharing,
            towers,
            name=network.name,
        ),
        PruningCount(
            all_open=before.all_open + _multiplications(network.towers),
            remaining=before.remaining + _multiplications(towers),
        ),
    )


def _multiplications(towers: Sequence[Tower]) -> Multiplications:
    return Multiplications(request=0, candidate=sum(map(tower_multiplications, towers)))

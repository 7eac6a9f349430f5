"""Faster forms of a trained network for serving: pruned, or in half precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from feature_spec.artifacts.inspection import Multiplications, PruningCount
from trainer.export.small_tables import SmallTables
from trainer.layers.field_embedding import FieldEmbedding
from trainer.layers.fields.crosses import CrossNetwork
from trainer.layers.personalisation import Personalisation
from trainer.layers.target_attention import History
from trainer.layers.tower import Tower
from trainer.network.attention_layout import AttentionLayout
from trainer.network.history_attention import Attention
from trainer.network.network import AssembledNetwork
from trainer.network.network_layout import FieldRows
from trainer.network.table_blocks import Indices, Values, read_rows
from trainer.pruning.pruned_layers import pruned_tower, tower_multiplications
from trainer.pruning.pruned_sharing import prune
from trainer.pruning.value_bounds import FieldEmbeddings, InputFields


class PrunedNetwork(NamedTuple):
    """A pruned network, which scores as the whole one does, to the rounding of float32.

    Attributes:
        network: the pruned network, with the tables of the whole one.
        multiplications: the multiplications before and after pruning.
    """

    network: AssembledNetwork
    multiplications: PruningCount


def pruned_network(network: AssembledNetwork, rows: Sequence[FieldRows]) -> PrunedNetwork | None:
    """Leave out the parts of a network that add nothing, whatever the input.

    These are closed cells and connections; sub-networks that nothing reads; fields that a
    sub-network masks for each of their values (they are not looked up if all sub-networks do);
    units that stay at 0 for all values of all fields; and the columns of towers that read them.
    Behind crosses a field can have any value, so that no field is masked for all of them.

    Args:
        network: a trained network.
        rows: the rows that each field can have, see `field_rows`.

    Returns:
        None if the model has no hard-concrete gates.
    """
    layout = network.layout
    pruning = prune(network.sharing, _input_fields(network, rows))
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
            network.attentions,
            gates=network.gates,
            crosses=network.crosses,
            exposure_towers=network.exposure_towers,
            projections=network.projections,
            name=network.name,
        ),
        PruningCount(
            all_open=_around(before.all_open, network) + _multiplications(network.towers),
            remaining=_around(before.remaining, network) + _multiplications(towers),
        ),
    )


def _input_fields(network: AssembledNetwork, rows: Sequence[FieldRows]) -> InputFields:
    """Return the fields that the sharing architecture reads, with the values that they can have."""
    layout, embedding = network.layout, network.embeddings[0]
    # Gates on the input scale each value of an embedding by itself, to any between 0 and twice it,
    # and crosses mix fields.
    has_any_value = bool(network.crosses) or any(gates.domain for gates in network.gates)
    values = tuple(
        FieldEmbeddings(
            None
            if one.rows is None or has_any_value
            else partial(_rows_of, embedding, width, one.rows),
            one.is_list,
        )
        for width, one in zip(layout.field_widths, rows, strict=True)
    )
    # Crossed fields of the request differ from candidate to candidate.
    of_request = 0 if network.crosses else layout.request_fields
    return InputFields(values, layout.field_widths, of_request, all_read=bool(network.gates))


def _around(sharing: Multiplications, network: AssembledNetwork) -> Multiplications:
    """Add the multiplications of crosses and of PEPNet's gates to those of the architecture."""
    for cross in network.crosses:
        request, candidate = cross.multiplications(network.layout.request_width)
        sharing += Multiplications(request=request, candidate=candidate)
    for gates in network.gates:
        request, candidate = gates.multiplications()
        if gates.domain and not network.crosses:
            # Gates on the input leave nothing of the architecture to be computed once a request.
            sharing = Multiplications(request=0, candidate=sharing.request + sharing.candidate)
        if network.crosses:
            request, candidate = 0, request + candidate
        sharing += Multiplications(request=request, candidate=candidate)
    return sharing


def _rows_of(embedding: FieldEmbedding, width: int, rows: Indices) -> Iterator[Values]:
    """Yield rows of a table as they are served, in blocks."""
    if isinstance(embedding, SmallTables):
        return embedding.read_rows(width, rows)
    return read_rows(embedding.tables[str(width)], rows)


def _multiplications(towers: Sequence[Tower]) -> Multiplications:
    return Multiplications(request=0, candidate=sum(map(tower_multiplications, towers)))


_POLICY = "mixed_bfloat16"


def half_precision_network(network: AssembledNetwork) -> AssembledNetwork:
    """Return a network that computes sharing architecture and hidden layers in bfloat16.

    A GPU serves it fastest. Tables, logits, heads and the stored weights stay in float32. The
    tables are shared with `network`; the other weights are copied.

    Args:
        network: a trained network.
    """
    with _half_precision():
        sharing = type(network.sharing).from_config(
            {**network.sharing.get_config(), "dtype": _POLICY}
        )
        towers = [
            type(tower).from_config({**tower.get_config(), "dtype": _POLICY})
            for tower in network.towers
        ]
        for tower, representation in zip(towers, sharing(network.zero_inputs()), strict=True):
            tower(representation)
        attentions = [
            [
                _in_half_precision(attention, layout)
                for attention, layout in zip(of_set, network.layout.attentions, strict=True)
            ]
            for of_set in network.attentions
        ]
        gates = [_gates_in_half_precision(trained) for trained in network.gates]
        crossed = network.zero_inputs()[0]
        crosses = [_crosses_in_half_precision(cross, crossed) for cross in network.crosses]
    sharing.set_weights(network.sharing.get_weights())
    for tower, trained in zip(towers, network.towers, strict=True):
        tower.set_weights(trained.get_weights())
    return AssembledNetwork(
        network.layout,
        network.embeddings,
        sharing,
        towers,
        attentions,
        gates=gates,
        task_tables=network.task_tables,
        crosses=crosses,
        exposure_towers=network.exposure_towers,
        projections=network.projections,
        name=network.name,
    )


def _gates_in_half_precision(trained: Personalisation) -> Personalisation:
    """Return a copy of gates under the policy of `_half_precision`."""
    copy: Personalisation = type(trained).from_config({**trained.get_config(), "dtype": _POLICY})
    copy(tf.zeros([1, trained.width]))
    copy.set_weights(trained.get_weights())
    return copy


def _in_half_precision(trained: Attention, layout: AttentionLayout) -> Attention:
    """Return a copy of a layer under the policy of `_half_precision`."""
    copy: Attention = type(trained).from_config({**trained.get_config(), "dtype": _POLICY})
    width, marks = (sum(slot.width for slot in slots) for slots in (layout.values, layout.marks))
    candidates, described = tf.zeros([1, width]), tf.zeros([1, 1, width + marks])
    entries, of_marks = described[:, :, :width], described[:, :, width:]
    copy(History(candidates, entries, of_marks, tf.ones([1, 1], tf.bool)))
    copy.set_weights(trained.get_weights())
    return copy


def _crosses_in_half_precision(trained: CrossNetwork, x: tf.Tensor) -> CrossNetwork:
    """Return a copy of crosses under the policy of `_half_precision`."""
    copy: CrossNetwork = type(trained).from_config({**trained.get_config(), "dtype": _POLICY})
    copy(x)
    copy.set_weights(trained.get_weights())
    return copy


@contextlib.contextmanager
def _half_precision() -> Iterator[None]:
    """Set the global policy, from which layers take the precision of their sublayers."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICY)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)

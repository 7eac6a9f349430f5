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

    Args:
        network: a trained network.
        rows: the rows that each field can have, see `field_rows`.

    Returns:
        None if the model has no hard-concrete gates.
    """
    layout = network.layout
    embedding = network.embeddings[0]
    # Gates on the input scale each value of an embedding by itself, to any between 0 and twice it.
    is_scaled = any(gates.domain for gates in network.gates)
    values = tuple(
        FieldEmbeddings(
            None
            if one.rows is None or is_scaled
            else partial(_rows_of, embedding, width, one.rows),
            one.is_list,
        )
        for width, one in zip(layout.field_widths, rows, strict=True)
    )
    pruning = prune(
        network.sharing,
        InputFields(
            values, layout.field_widths, layout.request_fields, all_read=bool(network.gates)
        ),
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
            network.attentions,
            gates=network.gates,
            name=network.name,
        ),
        PruningCount(
            all_open=_with_gates(before.all_open, network) + _multiplications(network.towers),
            remaining=_with_gates(before.remaining, network) + _multiplications(towers),
        ),
    )


def _with_gates(sharing: Multiplications, network: AssembledNetwork) -> Multiplications:
    """Add the multiplications of PEPNet's gates to those of the sharing architecture."""
    for gates in network.gates:
        if gates.domain:
            # Gates on the input leave nothing of the architecture to be computed once a request.
            sharing = Multiplications(request=0, candidate=sharing.request + sharing.candidate)
        request, candidate = gates.multiplications()
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


@contextlib.contextmanager
def _half_precision() -> Iterator[None]:
    """Set the global policy, from which layers take the precision of their sublayers."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(_POLICY)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)

"""What candidates read of their histories: from looked-up rows to pooled vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import tensorflow as tf

from feature_spec.feature_layout import IDS, InputSide
from trainer.layers.field_embedding import SlotLayout, flat_order, flattened
from trainer.layers.target_attention import ActivationUnit, DotProductAttention, History
from trainer.network.attention_layout import AttentionLayout

Attention: TypeAlias = "DotProductAttention | ActivationUnit"

# The units of the hidden layer of an activation unit.
_ACTIVATION_UNITS = (16,)


def attention_layer(layout: AttentionLayout, dropout_rate: float, name: str) -> Attention:
    """Make the layer of one history."""
    if layout.pooling == "dot_product":
        return DotProductAttention(layout.width, layout.heads, dropout_rate, name=name)
    return ActivationUnit(_ACTIVATION_UNITS, dropout_rate, name=name)


class EmbeddedSides:
    """The embeddings of both sides, from which histories are put together.

    Args:
        apart: what was looked up of fields that the flattened input lacks, (length, R, D) each, by
            side.
        features: the transformed features, with the ids.
        slots: the fields of the flattened input, by side.
        flat: the flattened fields of each side that has any, (R, ·) or (B, ·).
    """

    def __init__(
        self,
        apart: Mapping[InputSide, Mapping[SlotLayout, tf.Tensor]],
        features: Mapping[str, tf.Tensor],
        slots: Mapping[InputSide, Sequence[SlotLayout]],
        flat: Mapping[InputSide, tf.Tensor],
    ) -> None:
        self._apart, self._features, self._slots, self._flat = apart, features, slots, flat

    def ids(self, side: InputSide, slot: SlotLayout) -> tf.Tensor:
        """Return the ids of a field, (R, length)."""
        return self._features[IDS[side]][:, slot.start : slot.start + slot.length]

    def entries(self, slots: Sequence[SlotLayout]) -> tf.Tensor:
        """Return the embeddings of aligned lists of the request side by side, (R, L, Σ D)."""
        rows = [tf.transpose(self._apart["request"][slot], [1, 0, 2]) for slot in slots]
        return tf.concat(rows, axis=2)

    def value(self, side: InputSide, slot: SlotLayout) -> tf.Tensor:
        """Return the embedding of a field of the exposure, (R, D); of a list, the mean."""
        if slot in self._apart[side]:
            return flattened([self._apart[side][slot]], self._features[IDS[side]], None, [slot])
        ordered = flat_order(self._slots[side])
        first = sum(before.width for before in ordered[: ordered.index(slot)])
        return self._flat[side][:, first : first + slot.width]


def history_of(layout: AttentionLayout, embedded: EmbeddedSides, *, one_request: bool) -> History:
    """Put a history together.

    An entry counts where any of its lists has a value; of values that are missing, the row counts.

    Args:
        layout: the places of the history.
        embedded: the embeddings.
        one_request: whether the request side belongs to one request.
    """
    entries = embedded.entries(layout.values)
    if one_request:
        entries = tf.ensure_shape(entries, [1, None, None])
    lists = (*layout.values, *layout.marks)
    ids = [embedded.ids("request", slot) for slot in lists]
    mask = tf.reduce_any(
        tf.stack(
            [tf.not_equal(rows, slot.missing_row) for rows, slot in zip(ids, lists, strict=True)]
        ),
        axis=0,
    )
    values = [embedded.value(side, slot) for side, slot in layout.counterparts]
    if one_request:
        sides = [side for side, _ in layout.counterparts]
        candidates = tf.shape(values[sides.index("candidate")])[0]
        values = [
            value if side == "candidate" else tf.repeat(value, candidates, axis=0)
            for side, value in zip(sides, values, strict=True)
        ]
    if layout.search is not None:
        mask = mask & _matches(layout, embedded)
    return History(
        candidates=tf.concat(values, axis=1),
        entries=entries,
        marks=embedded.entries(layout.marks) if layout.marks else entries[:, :, :0],
        mask=mask,
    )


def _matches(layout: AttentionLayout, embedded: EmbeddedSides) -> tf.Tensor:
    """Return whether an entry has the candidate's value, (B, L)."""
    place, nameless = layout.search or (0, 0)
    slot = layout.values[place]
    past = embedded.ids("request", slot)
    own = embedded.ids(*layout.counterparts[place])
    has_name = (past < slot.missing_row) | (past >= slot.missing_row + nameless)
    equal = tf.reduce_any(own[:, :, tf.newaxis] == past[:, tf.newaxis], axis=1)
    return equal & has_name

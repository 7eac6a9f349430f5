"""The places of the histories that candidates attend to, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from feature_spec.feature_layout import SIDES, FeatureLayout, InputSide, Slot
from feature_spec.histories.attention import AttendedHistory, attended_histories
from feature_spec.spec import FeatureSpec
from trainer.layers.field_embedding import SlotLayout


class Search(NamedTuple):
    """The list whose ids choose the entries that a candidate attends to.

    Attributes:
        place: the place of the list among `AttentionLayout.values`.
        nameless: the number of rows, from the row of a missing value on, that stand for no single
            value and so match nothing: that row, and the OOV buckets of a vocabulary. A hash bucket
            matches itself, because hashed fields have no other identity.
    """

    place: int
    nameless: int


class AttentionLayout(NamedTuple):
    """The places of one history and of the fields that candidates compare it with.

    Attributes:
        name: the name of the history.
        values: the aligned lists of the request side.
        counterparts: the field of the exposure itself for each list, with its side.
        marks: further lists of the request side, which no field stands beside.
        pooling: `dot_product` or `activation_unit`.
        heads: the number of heads of `dot_product`.
        search: the list whose ids must be the candidate's; None if all entries count.
    """

    name: str
    values: tuple[SlotLayout, ...]
    counterparts: tuple[tuple[InputSide, SlotLayout], ...]
    marks: tuple[SlotLayout, ...]
    pooling: str
    heads: int
    search: Search | None = None

    @property
    def width(self) -> int:
        """The width of the pooled vector.

        Heads share the width of the values evenly, rounded up. DIN sums the lists as they are.
        """
        values = sum(slot.width for slot in self.values)
        if self.pooling == "dot_product":
            return -(-values // self.heads) * self.heads
        return values + sum(slot.width for slot in self.marks)

    @property
    def slots(self) -> list[tuple[InputSide, SlotLayout]]:
        """All fields that are read, with their sides."""
        return [
            *(("request", slot) for slot in (*self.values, *self.marks)),
            *self.counterparts,
        ]


def attention_layouts(
    spec: FeatureSpec, feature_layout: FeatureLayout
) -> tuple[AttentionLayout, ...]:
    """Return the places of all histories that candidates of a spec attend to."""
    slots = {slot.name: (side, slot) for side in SIDES for slot in feature_layout.slots(side)}
    return tuple(
        _attention_layout(attended, slots)
        for attended in attended_histories(spec.fields, spec.histories)
    )


def _attention_layout(
    attended: AttendedHistory, slots: Mapping[str, tuple[InputSide, Slot]]
) -> AttentionLayout:
    lists = [slots[name][1] for name in attended.values]
    fields = [slots[name] for name in attended.values.values()]
    search = None
    if attended.search_by is not None:
        place = list(attended.values).index(attended.search_by)
        rows, vocabulary = lists[place].rows, lists[place].vocabulary
        search = Search(place, 1 + rows.buckets if vocabulary else 1)
    return AttentionLayout(
        name=attended.name,
        values=tuple(map(slot_layout, lists)),
        counterparts=tuple((side, slot_layout(slot)) for side, slot in fields),
        marks=tuple(slot_layout(slots[name][1]) for name in attended.marks),
        pooling=attended.pooling,
        heads=attended.heads,
        search=search,
    )


def slot_layout(slot: Slot) -> SlotLayout:
    """Return the places of a field without its names."""
    return SlotLayout(slot.start, slot.length, slot.width, slot.rows.missing, slot.weights)

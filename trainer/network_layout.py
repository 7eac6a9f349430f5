"""What a network must know of the data: sizes of its tables and where each field stands. Numbers only, no spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feature_spec.packing import SIDES, Packing, PackSide, Slot, vocabulary_file
from feature_spec.spec import FeatureSpec
from trainer.layers.field_embedding import SlotLayout, flat_order


@dataclass(frozen=True, kw_only=True)
class NetworkLayout:
    """Sizes and places.

    Attributes:
        table_rows: rows of the embedding table of each width.
        slots: fields of each side's id matrix, in order.
        numbers: columns of each side's number matrix.
        tasks: kind of each task by name, in the spec's order.
    """

    table_rows: Mapping[int, int]
    slots: Mapping[PackSide, tuple[SlotLayout, ...]]
    numbers: Mapping[PackSide, int]
    tasks: Mapping[str, str]

    @property
    def field_widths(self) -> list[int]:
        """D of each field in the order of the flattened input: the request's, then the candidate's; a number has width 1."""
        return [
            width
            for side in SIDES
            for width in [*(slot.width for slot in flat_order(self.slots[side])), *[1] * self.numbers[side]]
        ]


def network_layout(spec: FeatureSpec, vocabulary_sizes: Mapping[str, int]) -> NetworkLayout:
    """The layout that follows from a spec and the sizes of the vocabularies that Transform found, by file name."""
    packing = Packing(spec)
    return NetworkLayout(
        table_rows={
            width: packing.reserved_rows(width)
            + (vocabulary_sizes[vocabulary_file(width)] if packing.has_vocabulary(width) else 0)
            for width in packing.widths
        },
        slots={side: tuple(_slot_layout(slot) for slot in packing.slots(side)) for side in SIDES},
        numbers={side: len(packing.numbers(side)) for side in SIDES},
        tasks={name: task.kind for name, task in spec.tasks.items()},
    )


def field_names(spec: FeatureSpec) -> list[str]:
    """The names of the fields in the order of `NetworkLayout.field_widths`."""
    packing = Packing(spec)
    result = []
    for side in SIDES:
        by_layout = {_slot_layout(slot): slot.name for slot in packing.slots(side)}
        result += [by_layout[layout] for layout in flat_order(list(by_layout))] + packing.numbers(side)
    return result


def _slot_layout(slot: Slot) -> SlotLayout:
    return SlotLayout(slot.start, slot.length, slot.width, slot.rows.missing)

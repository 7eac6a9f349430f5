"""Tables of each task's own for some fields, as STEM has: narrow, and side by side in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from feature_spec.feature_layout import IDS, LIST_WEIGHTS, SIDES, InputSide, Part
from trainer.layers.field_embedding import SlotLayout, flat_order, flattened
from trainer.layers.flat_input import FlatInput
from trainer.network.network_layout import NetworkLayout


@dataclass(frozen=True)
class TaskTables:
    """The places of the fields of which each task has embeddings of its own.

    For each width D of these fields there is one table with the rows of the shared table of that
    width, so a value has the same row in both. A row holds the embeddings of all tasks, d columns
    each, side by side: one look-up and one update of a row serve all tasks, and those that a
    gradient does not reach stay as they are.

    Attributes:
        tasks: K.
        slots: the fields of each side, as in the id matrix.
        widths: d by D.
    """

    tasks: int
    slots: dict[InputSide, tuple[SlotLayout, ...]]
    widths: dict[int, int]

    @property
    def row_widths(self) -> dict[int, int]:
        """The columns of each table, by D."""
        return {width: self.tasks * own for width, own in self.widths.items()}

    def field_widths(self, layout: NetworkLayout) -> list[int]:
        """Return d of each field in the order of `NetworkLayout.field_widths`, 0 for none."""
        result: list[int] = []
        for side in SIDES:
            result += [
                self.widths[slot.width] if slot in self.slots[side] else 0
                for slot in flat_order(layout.slots[side])
            ] + [0] * (layout.numbers[side] + len(layout.vectors_of(side)))
        return result + [0] * len(layout.attentions)

    def inputs(
        self,
        lookup: Mapping[Part, Sequence[tf.Tensor]],
        features: Mapping[str, tf.Tensor],
        *,
        one_request: bool,
    ) -> list[tf.Tensor | FlatInput]:
        """Flatten what was looked up: x_k of each task, (B, I_t), or a `FlatInput`."""
        sides = {
            side: self._of_tasks(
                lookup[side], features[IDS[side]], slots, features.get(LIST_WEIGHTS[side])
            )
            for side, slots in self.slots.items()
            if slots
        }
        if one_request:
            # A side without such fields has no columns.
            some = next(iter(sides.values()))[0]
            rows = {"request": 1, "candidate": tf.shape(features[_of_candidates(features)])[0]}
            empty = {
                side: [tf.zeros([rows[side], 0], some.dtype)] * self.tasks
                for side in SIDES
                if side not in sides
            }
            both = {**sides, **empty}
            return [
                FlatInput(tf.ensure_shape(request, [1, None]), candidate)
                for request, candidate in zip(both["request"], both["candidate"], strict=True)
            ]
        return [tf.concat(parts, axis=1) for parts in zip(*sides.values(), strict=True)]

    def _of_tasks(
        self,
        lookups: Sequence[tf.Tensor],
        ids: tf.Tensor,
        slots: Sequence[SlotLayout],
        weights: tf.Tensor | None,
    ) -> list[tf.Tensor]:
        """Flatten one side: K times (R, Σ d)."""
        parts: list[list[tf.Tensor]] = [[] for _ in range(self.tasks)]
        for width, lookup in zip(sorted({slot.width for slot in slots}), lookups, strict=True):
            row_width = self.row_widths[width]
            of_width = [slot._replace(width=row_width) for slot in slots if slot.width == width]
            flat = flattened([lookup], ids, None, of_width, weights)
            by_task = tf.reshape(flat, [-1, len(of_width), self.tasks, self.widths[width]])
            size = len(of_width) * self.widths[width]
            for part, of_task in zip(parts, tf.unstack(by_task, axis=2), strict=True):
                part.append(tf.reshape(of_task, [-1, size]))
        return [tf.concat(part, axis=1) for part in parts]


def task_tables(
    layout: NetworkLayout, fields: Sequence[str] | None, width: int | None
) -> TaskTables:
    """Place the tables of each task's own.

    Args:
        layout: the places of all fields.
        fields: the fields by name; None for all that have rows of a table.
        width: the width of a task's embeddings, at most that of the shared ones; None for the
            width of the shared ones.

    Raises:
        ValueError: a name stands for no field with rows of a table, or there is no such field.
    """
    slots: dict[InputSide, tuple[SlotLayout, ...]] = {}
    position, left = 0, list(fields or ())
    for side in SIDES:
        kept = []
        for slot in flat_order(layout.slots[side]):
            if fields is None:
                kept.append(slot)
            elif layout.names[position] in left:
                kept.append(slot)
                left.remove(layout.names[position])
            position += 1
        position += layout.numbers[side] + len(layout.vectors_of(side))
        # The order of the id matrix, as of all look-ups.
        slots[side] = tuple(slot for slot in layout.slots[side] if slot in kept)
    if left:
        raise ValueError(f"`task_fields` names what has no table: {', '.join(map(repr, left))}")
    widths = sorted({slot.width for of_side in slots.values() for slot in of_side})
    if not widths:
        raise ValueError("tables of tasks need a field with rows of a table; there is none")
    return TaskTables(len(layout.tasks), slots, {D: min(D, width or D) for D in widths})


def _of_candidates(features: Mapping[str, tf.Tensor]) -> str:
    return next(name for name in features if name.startswith("candidate"))

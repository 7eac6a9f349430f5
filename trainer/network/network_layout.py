"""The layout of a network's inputs: sizes of tables and places of fields, as numbers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from feature_spec.feature_layout import (
    SIDES,
    TOKEN_SEPARATOR,
    FeatureLayout,
    InputSide,
    vocabulary_file,
)
from feature_spec.histories.attention import attended_histories
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names
from feature_spec.tasks.task import Task
from trainer.layers.field_embedding import SlotLayout, flat_order
from trainer.network.attention_layout import AttentionLayout, attention_layouts, slot_layout
from trainer.network.vocabulary import Vocabulary


class TrainingSlot(NamedTuple):
    """A field that only training has.

    Attributes:
        slot: its column in the matrix of such fields.
        dropout_rate: the share of its values that training takes for unknown.
    """

    slot: SlotLayout
    dropout_rate: float


class VectorPlace(NamedTuple):
    """A vector in the matrix of its side, in which vectors stand side by side.

    Attributes:
        dimension: d, its number of values.
        width: D, the width of the field that it becomes.
        normalise: whether it is scaled to length 1 first.
    """

    dimension: int
    width: int
    normalise: bool


class HeadLayout(NamedTuple):
    """A head that predicts how a label is distributed.

    Attributes:
        kind: `ordinal` or `quantiles`.
        points: K, the number of its outputs.
        cuts: the cuts of `ordinal` as given, K + 1; none to learn them from labels.
    """

    kind: str
    points: int
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NetworkLayout:
    """The sizes of a network's tables and the places of its fields.

    Attributes:
        table_rows: the number of rows of the embedding table of each width.
        slots: the embedded fields of each side that the flattened input holds, in order.
        numbers: the number of columns of each side's number matrix.
        tasks: the kind of each task by name, in the spec's order.
        number_names: the names of the columns of each side's number matrix, for messages.
        attentions: the histories that candidates attend to. Each is a field of the candidate side,
            in place of its lists.
        names: the names of the fields, in the order of `field_widths`, by which settings name them.
        imputed: the tasks whose loss needs a second tower, which imputes their labels.
        training_only: the fields that only training has, which `slots` lacks.
        vectors: the vectors of each side, in order; none by default.
        heads: the heads of regressions that predict how their label is distributed, by task.
    """

    table_rows: Mapping[int, int]
    slots: Mapping[InputSide, tuple[SlotLayout, ...]]
    numbers: Mapping[InputSide, int]
    tasks: Mapping[str, str]
    number_names: Mapping[InputSide, Sequence[str]] = field(default_factory=dict)
    attentions: tuple[AttentionLayout, ...] = ()
    names: tuple[str, ...] = ()
    imputed: tuple[str, ...] = ()
    training_only: tuple[TrainingSlot, ...] = ()
    vectors: Mapping[InputSide, tuple[VectorPlace, ...]] = field(default_factory=dict)
    heads: Mapping[str, HeadLayout] = field(default_factory=dict)

    @property
    def field_widths(self) -> list[int]:
        """D of each field in the order of the flattened input: request side, then candidate side.

        Each side has its embedded fields, then its numbers, of width 1, then its vectors. Attended
        histories come last.
        """
        return [
            width
            for side in SIDES
            for width in [
                *(slot.width for slot in flat_order(self.slots[side])),
                *[1] * self.numbers[side],
                *(vector.width for vector in self.vectors_of(side)),
            ]
        ] + [attention.width for attention in self.attentions]

    @property
    def looked_up(self) -> dict[InputSide, tuple[SlotLayout, ...]]:
        """The fields of each side's id matrix that are looked up: `slots`, then what attends."""
        result = {side: dict.fromkeys(slots) for side, slots in self.slots.items()}
        for attention in self.attentions:
            for side, slot in attention.slots:
                result[side][slot] = None
        return {side: tuple(slots) for side, slots in result.items()}

    @property
    def pooled_fields(self) -> list[int]:
        """The attended histories and the vectors, by their positions in `field_widths`."""
        fields, of_request = len(self.field_widths), self.request_fields
        last = fields - len(self.attentions)
        vectors = {side: len(self.vectors_of(side)) for side in SIDES}
        return [
            *range(of_request - vectors["request"], of_request),
            *range(last - vectors["candidate"], fields),
        ]

    @property
    def request_fields(self) -> int:
        """The number of fields of the request side, which come first in `field_widths`."""
        numbers, vectors = self.numbers["request"], len(self.vectors_of("request"))
        return len(self.slots["request"]) + numbers + vectors

    def vectors_of(self, side: InputSide) -> tuple[VectorPlace, ...]:
        """Return the vectors of a side, in order."""
        return self.vectors.get(side, ())

    @property
    def request_width(self) -> int:
        """The columns of the flattened input that the request side fills, which come first."""
        return sum(self.field_widths[: self.request_fields])

    def columns_of(self, fields: Sequence[str]) -> list[int]:
        """Return the columns of the flattened input that hold fields, ascending.

        Raises:
            ValueError: the input holds no such field.
        """
        unknown = [name for name in fields if name not in self.names]
        if unknown:
            raise ValueError(
                f"the input of the model has no field {unknown[0]!r}: "
                f"{closest_names(unknown[0], self.names)}"
            )
        ends = list(itertools.accumulate(self.field_widths, initial=0))
        places = sorted(self.names.index(name) for name in fields)
        return [column for place in places for column in range(ends[place], ends[place + 1])]

    def with_fields(self, fields: Collection[int]) -> NetworkLayout:
        """Return the layout whose input holds only these fields, by position in `field_widths`.

        Numbers, vectors and attended histories always stay.
        """
        slots: dict[InputSide, tuple[SlotLayout, ...]] = {}
        first, names = 0, list(self.names)
        for side in SIDES:
            ordered = flat_order(self.slots[side])
            slots[side] = tuple(
                slot for position, slot in enumerate(ordered, first) if position in fields
            )
            for position in range(first, first + len(ordered)):
                if position not in fields and names:
                    names.remove(self.names[position])
            first += len(ordered) + self.numbers[side] + len(self.vectors_of(side))
        return replace(self, slots=slots, names=tuple(names))


class FieldRows(NamedTuple):
    """The rows of its table that a field can have.

    Attributes:
        rows: the rows; None for a plain number, a vector, and a history that candidates attend to.
        is_list: whether the field is a list, whose embedding is the mean of some of the rows.
    """

    rows: npt.NDArray[np.int64] | None
    is_list: bool


def network_layout(spec: FeatureSpec, vocabulary_sizes: Mapping[str, int]) -> NetworkLayout:
    """Make the layout of a network.

    Args:
        spec: the feature spec.
        vocabulary_sizes: the sizes of the vocabularies that Transform found, by file name.
    """
    feature_layout = FeatureLayout(spec)
    attended = _attended_columns(spec)
    return NetworkLayout(
        table_rows={
            width: feature_layout.reserved_rows(width)
            + (
                vocabulary_sizes[vocabulary_file(width)]
                if feature_layout.has_vocabulary(width)
                else 0
            )
            for width in feature_layout.widths
        },
        slots={
            side: tuple(
                slot_layout(slot)
                for slot in feature_layout.slots(side)
                if slot.name not in attended
            )
            for side in SIDES
        },
        numbers={side: len(feature_layout.numbers(side)) for side in SIDES},
        tasks={name: task.kind for name, task in spec.tasks.items()},
        number_names={side: feature_layout.numbers(side) for side in SIDES},
        vectors={
            side: tuple(
                VectorPlace(one.dimension, one.project, one.normalise)
                for one in feature_layout.vectors(side).values()
            )
            for side in SIDES
        },
        heads={name: _head(task) for name, task in spec.tasks.items() if task.head is not None},
        attentions=attention_layouts(spec, feature_layout),
        names=tuple(field_names(spec)),
        imputed=tuple(name for name, task in spec.tasks.items() if task.chain == "escm2_dr"),
        training_only=tuple(
            TrainingSlot(slot_layout(slot), field.training_only.dropout_rate)
            for slot in feature_layout.slots("training")
            if (field := spec.fields[slot.name]).training_only is not None
        ),
    )


def _head(task: Task) -> HeadLayout:
    if task.head == "quantiles":
        return HeadLayout("quantiles", task.levels)
    if isinstance(task.cuts, int):
        return HeadLayout("ordinal", task.cuts)
    return HeadLayout("ordinal", len(task.cuts) - 1, tuple(task.cuts))


def _attended_columns(spec: FeatureSpec) -> set[str]:
    attended = attended_histories(spec.fields, spec.histories)
    return {column for history in attended for column in history.columns}


def field_names(spec: FeatureSpec) -> list[str]:
    """Return the names of the fields, in the order of `NetworkLayout.field_widths`.

    An attended history has its own name, in place of those of its lists.
    """
    feature_layout = FeatureLayout(spec)
    attended = attended_histories(spec.fields, spec.histories)
    lists = _attended_columns(spec)
    result = []
    for side in SIDES:
        by_layout = {
            slot_layout(slot): slot.name
            for slot in feature_layout.slots(side)
            if slot.name not in lists
        }
        result += [
            *(by_layout[layout] for layout in flat_order(list(by_layout))),
            *feature_layout.numbers(side),
            *feature_layout.vectors(side),
        ]
    return result + [history.name for history in attended]


def field_rows(
    spec: FeatureSpec, layout: NetworkLayout, vocabularies: Mapping[str, Vocabulary]
) -> list[FieldRows]:
    """Return the rows that each field can have, in the order of `NetworkLayout.field_widths`.

    Args:
        spec: the feature spec.
        layout: the layout that follows from `spec`.
        vocabularies: the vocabularies that Transform found, by file name. If one is missing, each
            of its fields may have all of its rows.
    """
    feature_layout = FeatureLayout(spec)
    entries = {
        width: _rows_of_sources(feature_layout, width, vocabularies[file])
        for width in feature_layout.widths
        if (file := vocabulary_file(width)) in vocabularies
    }
    attended = _attended_columns(spec)
    result: list[FieldRows] = []
    for side in SIDES:
        slots = {
            slot_layout(slot): slot
            for slot in feature_layout.slots(side)
            if slot.name not in attended
        }
        for slot in (slots[place] for place in flat_order(list(slots))):
            # The padding of a list does not count.
            first = slot.rows.first_bucket if slot.length > 1 else slot.rows.missing
            rows = [np.arange(first, slot.rows.first_bucket + slot.rows.buckets)]
            if slot.vocabulary and slot.width in entries:
                rows.append(entries[slot.width][slot.source])
            elif slot.vocabulary:
                rows.append(
                    np.arange(
                        feature_layout.reserved_rows(slot.width), layout.table_rows[slot.width]
                    )
                )
            result.append(FieldRows(np.concatenate(rows), slot.length > 1))
        plain = len(feature_layout.numbers(side)) + len(feature_layout.vectors(side))
        result += [FieldRows(None, is_list=False)] * plain
    return result + [FieldRows(None, is_list=False)] * len(layout.attentions)


def _rows_of_sources(
    feature_layout: FeatureLayout, width: int, vocabulary: Vocabulary
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the rows of the vocabulary's entries in the table of `width`, by field."""
    sources = {
        slot.source
        for side in SIDES
        for slot in feature_layout.slots(side)
        if slot.width == width and slot.vocabulary
    }
    rows: dict[str, list[npt.NDArray[np.int64]]] = {source: [] for source in sources}
    for first, lines in vocabulary.blocks_of_lines():
        for source, of_source in rows.items():
            owned = pc.starts_with(lines, (source + TOKEN_SEPARATOR).encode())
            of_source.append(np.flatnonzero(owned) + (first + feature_layout.reserved_rows(width)))
    return {
        source: np.concatenate([np.zeros(0, np.int64), *of_source])
        for source, of_source in rows.items()
    }

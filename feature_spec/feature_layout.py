"""The layout of all fields in a few tensors.

The trainer parses six features of an example rather than one for each field.

All ids of a side stand in one matrix, and an id is at once the row of the embedding table of its
width. The rows of a table are

    [reserved rows of field 1][reserved rows of field 2] … [one row a vocabulary entry, most
    frequent first]

where a field's reserved rows are one for a missing value (also the padding of lists), then its OOV
buckets, hash buckets or quantile buckets. So rows are known before the vocabulary is, and only the
table's end depends on the data. A vocabulary entry is the field's name, `TOKEN_SEPARATOR` and the
value, which lets all fields of one width share one vocabulary and one lookup.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from feature_spec import names
from feature_spec.fields.field import (
    CategoricalField,
    Field,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    Side,
    VectorField,
    Vocabulary,
)
from feature_spec.spec import FeatureSpec

TOKEN_SEPARATOR = "\x1f"  # noqa: S105 no secret
InputSide = Literal["request", "candidate"]
SIDES: tuple[InputSide, ...] = ("request", "candidate")
# The sides of a request, and the fields that only training has.
Part = Literal["request", "candidate", "training"]
PARTS: tuple[Part, ...] = (*SIDES, "training")
IDS: dict[Part, str] = {
    "request": names.REQUEST_IDS,
    "candidate": names.CANDIDATE_IDS,
    "training": names.TRAINING_IDS,
}
NUMBERS: dict[InputSide, str] = {
    "request": names.REQUEST_NUMBERS,
    "candidate": names.CANDIDATE_NUMBERS,
}
VECTORS: dict[InputSide, str] = {
    "request": names.REQUEST_VECTORS,
    "candidate": names.CANDIDATE_VECTORS,
}

LIST_WEIGHTS: dict[Part, str] = {
    "request": names.REQUEST_LIST_WEIGHTS,
    "candidate": names.CANDIDATE_LIST_WEIGHTS,
}


def vocabulary_file(width: int) -> str:
    """Return the file name of the vocabulary that all fields of one width share."""
    return f"vocabulary_{width}"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows that a field reserves in the embedding table of its width.

    Attributes:
        missing: the row of a missing value; the buckets follow it.
        buckets: the number of OOV, hash or quantile buckets.
    """

    missing: int
    buckets: int

    @property
    def first_bucket(self) -> int:
        """The first bucket's row, right after the row of a missing value."""
        return self.missing + 1


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The columns of an embedded field in the id matrix of its side.

    Attributes:
        name: the field's name.
        side: the side that the field describes.
        start: the field's first column.
        length: the number of columns: 1, or `max_length` for a list.
        width: embedding width D of the field's rows.
        source: the field whose rows are read: itself, or the field that a sequence shares.
        rows: reserved rows of `source`.
        vocabulary: vocabulary of `source`; None where values are hashed or put into quantile
            buckets.
        weights: the first column of a list's weights in the matrix of its side; None for a list
            without weights, and for one value.
    """

    name: str
    side: Side
    start: int
    length: int
    width: int
    source: str
    rows: Rows
    vocabulary: Vocabulary | None
    weights: int | None = None


@dataclass(frozen=True)
class FeatureLayout:
    """The layout of a spec's fields.

    It is the same on every machine, and after any change that keeps the spec's fingerprint and the
    order of its fields.
    """

    spec: FeatureSpec

    @cached_property
    def _embedded(self) -> dict[str, tuple[int, int]]:
        """The width and the number of buckets of each field that owns rows."""
        owned = {}
        for name, field in self.spec.fields.items():
            if isinstance(field, CategoricalField | MultiCategoricalField):
                vocabulary = field.vocabulary_or_default
                owned[name] = (
                    field.width,
                    vocabulary.oov_buckets if vocabulary else field.hash_buckets or 0,
                )
            elif isinstance(field, NumericField) and field.transform == "quantiles":
                owned[name] = (field.width, field.buckets)
        return owned

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """The reserved rows of each field that owns rows, by name."""
        result, next_row = {}, dict.fromkeys(self.widths, 0)
        for name, (width, buckets) in self._embedded.items():
            result[name] = Rows(missing=next_row[width], buckets=buckets)
            next_row[width] += 1 + buckets
        return result

    @cached_property
    def widths(self) -> list[int]:
        """The embedding widths in use, ascending; each has a table of its own."""
        return sorted({width for width, _ in self._embedded.values()})

    def reserved_rows(self, width: int) -> int:
        """Return the number of rows before the vocabulary's rows in the table of `width`."""
        return sum(1 + buckets for table, buckets in self._embedded.values() if table == width)

    def has_vocabulary(self, width: int) -> bool:
        """Return whether a field of this width has a vocabulary, which adds rows to the table."""
        return any(
            slot.vocabulary for part in PARTS for slot in self.slots(part) if slot.width == width
        )

    def slots(self, side: Part) -> list[Slot]:
        """Return the fields of a part's id matrix (B, Σ length), in the order of their columns."""
        result: list[Slot] = []
        start = 0
        weights = self._weight_columns(side)
        for name, field in self._fields(side).items():
            source = field.shares if isinstance(field, SequenceField) else name
            if source not in self._embedded:
                continue
            length = (
                field.max_length if isinstance(field, SequenceField | MultiCategoricalField) else 1
            )
            owner = self.spec.fields[source]
            vocabulary = (
                None
                if isinstance(owner, NumericField | SequenceField | VectorField)
                else owner.vocabulary_or_default
            )
            result.append(
                Slot(
                    name=name, side=field.side, start=start, length=length,
                    width=self._embedded[source][0], source=source, rows=self.rows[source],
                    vocabulary=vocabulary, weights=weights.get(name),
                )
            )  # fmt: skip
            start += length
        return result

    def numbers(self, side: InputSide) -> list[str]:
        """Return the numeric fields of a side's number matrix (B, N), in order."""
        return [
            name for name, field in self._fields(side).items()
            if isinstance(field, NumericField) and field.transform != "quantiles"
        ]  # fmt: skip

    def vectors(self, side: InputSide) -> dict[str, VectorField]:
        """Return the vectors of a side's matrix (B, Σ dimension) by name, in order."""
        return {
            name: field for name, field in self._fields(side).items()
            if isinstance(field, VectorField) and field.weights_of is None
        }  # fmt: skip

    def list_weights(self, side: Part) -> dict[str, VectorField]:
        """Return the weights of a side's lists, of its matrix (B, Σ max_length), in order."""
        return {
            name: field for name, field in self._fields(side).items()
            if isinstance(field, VectorField) and field.weights_of is not None
        }  # fmt: skip

    def _weight_columns(self, side: Part) -> dict[str, int]:
        """Return the first column of the weights of each list that has some."""
        columns, start = {}, 0
        for field in self.list_weights(side).values():
            if field.weights_of is not None:
                columns[field.weights_of] = start
            start += field.dimension
        return columns

    def _fields(self, side: Part) -> dict[str, Field]:
        if side == "training":
            return self.spec.training_only
        return (
            self.spec.served.fields_of("item")
            if side == "candidate"
            else self.spec.served.fields_of("user", "context")
        )

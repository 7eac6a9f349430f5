"""Field embeddings: one table a width, one lookup a width and side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

_INITIAL_STANDARD_DEVIATION = 0.01


class SlotLayout(NamedTuple):
    """One field's columns in an id matrix.

    Attributes:
        start: first column.
        length: number of columns: 1, or the cut length of a list.
        width: embedding width D.
        missing_row: the row that pads a list; it does not count in the mean of a list.
    """

    start: int
    length: int
    width: int
    missing_row: int


def flat_order(slots: Sequence[SlotLayout]) -> list[SlotLayout]:
    """The order of fields in the flattened embeddings: by ascending width, fields of one value before lists."""
    return sorted(slots, key=lambda slot: (slot.width, slot.length > 1))


@tf.keras.utils.register_keras_serializable("fulcrum")
class FieldEmbedding(tf.keras.layers.Layer):
    """Embeds one side's packed ids.

    All fields of one width live in one table; ids are rows of it (`feature_spec.feature_layout`).

    Args:
        table_rows: rows of each table by width D.
        initial_mean: mean of the initial embeddings. Defaults to 0.
    """

    def __init__(
        self, table_rows: Mapping[int, int], initial_mean: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if any(int(width) < 1 or rows < 1 for width, rows in table_rows.items()):
            raise ValueError(
                f"`table_rows` maps widths to rows, both at least 1. Received: {dict(table_rows)}"
            )
        # JSON turns the widths of a saved configuration into text.
        self.table_rows = {int(width): int(rows) for width, rows in table_rows.items()}
        self.initial_mean = initial_mean
        # A network of numbers only never looks up, and so never builds.
        self.tables: dict[str, tf.Variable] = {}

    def build(self, input_shape: Any) -> None:
        del input_shape
        self.tables = {
            str(width): self.add_weight(
                name=f"table_{width}",
                shape=(rows, width),
                initializer=tf.keras.initializers.RandomNormal(
                    self.initial_mean, _INITIAL_STANDARD_DEVIATION
                ),
            )
            for width, rows in self.table_rows.items()
        }
        self.built = True

    def call(self, ids: tf.Tensor, slots: Sequence[SlotLayout]) -> list[tf.Tensor]:
        """Looks a batch up.

        Args:
            ids: rows, integer (R, Σ length).
            slots: the fields of `ids` in order.

        Returns:
            For each width of the slots, ascending, (Σ length, R, D). Field by field, because rows
            of one field lie near each
            other: it is faster to read them so and to change them so, and the gradient comes in
                this order, too.
        """
        result = []
        for width, of_width in _by_width(slots):
            columns = [
                column
                for slot in of_width
                for column in range(slot.start, slot.start + slot.length)
            ]
            result.append(
                tf.gather(self.tables[str(width)], tf.transpose(tf.gather(ids, columns, axis=1)))
            )
        return result

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "table_rows": dict(self.table_rows),
            "initial_mean": self.initial_mean,
        }


def flattened(
    lookups: Sequence[tf.Tensor],
    ids: tf.Tensor | None,
    numbers: tf.Tensor | None,
    slots: Sequence[SlotLayout],
) -> tf.Tensor:
    """One side's part of the input that sub-networks read.

    Args:
        lookups: of `FieldEmbedding`, one a width.
        ids: what was looked up, (R, Σ length), or None where the side has no embedded field.
        numbers: float (R, N), or None where the side has no plain number, which stands for itself:
            a field of width 1.
        slots: the fields of `ids` in order.

    Returns:
        (R, I): the fields in `flat_order`, a list as the mean of its rows, zeros where it is empty;
        then the numbers.
    """
    parts = []
    for (width, of_width), lookup in zip(_by_width(slots), lookups, strict=True):
        lists = [slot for slot in of_width if slot.length > 1]
        singles = len(of_width) - len(lists)
        embeddings = tf.transpose(lookup, [1, 0, 2])
        parts.append(tf.reshape(embeddings[:, :singles], [-1, singles * width]))
        if lists:
            parts.append(_pooled(ids, embeddings[:, singles:], lists, width))
    if numbers is not None:
        parts.append(numbers)
    return tf.concat(parts, axis=1)


def _by_width(slots: Sequence[SlotLayout]) -> list[tuple[int, list[SlotLayout]]]:
    return [
        (width, list(group))
        for width, group in itertools.groupby(flat_order(slots), key=lambda slot: slot.width)
    ]


def _pooled(
    ids: tf.Tensor, embeddings: tf.Tensor, lists: Sequence[SlotLayout], width: int
) -> tf.Tensor:
    """The mean of each list's rows, (R, Σ length, D) → (R, lists · D), in one product with a constant 0/1 matrix."""
    rows = tf.gather(
        ids,
        [column for slot in lists for column in range(slot.start, slot.start + slot.length)],
        axis=1,
    )
    membership = np.zeros((len(lists), sum(slot.length for slot in lists)), np.float32)
    column = 0
    for position, slot in enumerate(lists):
        membership[position, column : column + slot.length] = 1.0
        column += slot.length
    padding = tf.constant(
        [slot.missing_row for slot in lists for _ in range(slot.length)], rows.dtype
    )
    present = tf.cast(tf.not_equal(rows, padding), embeddings.dtype)
    sums = tf.einsum(
        "sc,bcd->bsd", tf.cast(membership, embeddings.dtype), embeddings * present[:, :, tf.newaxis]
    )
    counts = tf.einsum("sc,bc->bs", tf.cast(membership, embeddings.dtype), present)
    return tf.reshape(sums / tf.maximum(counts, 1.0)[:, :, tf.newaxis], [-1, len(lists) * width])

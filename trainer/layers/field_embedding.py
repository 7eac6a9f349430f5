"""Field embeddings: one table for each width, one lookup for each width and side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

_INITIAL_STANDARD_DEVIATION = 0.01


class SlotLayout(NamedTuple):
    """The columns of one field in an id matrix.

    Attributes:
        start: the first column.
        length: the number of columns: 1, or the maximum length of a list.
        width: D, the embedding width.
        missing_row: the row that pads a list. It does not count in the mean of a list.
        weights: the first column of a list's weights in their matrix; None where all values count
            alike.
    """

    start: int
    length: int
    width: int
    missing_row: int
    weights: int | None = None


def flat_order(slots: Sequence[SlotLayout]) -> list[SlotLayout]:
    """Sort fields as the flattened embeddings hold them: by width, single values before lists."""
    return sorted(slots, key=lambda slot: (slot.width, slot.length > 1))


@tf.keras.utils.register_keras_serializable("fulcrum")
class FieldEmbedding(tf.keras.layers.Layer):
    """The embeddings of many fields, with one table for each embedding width.

    All fields of one width share a table, of which each field owns some rows. `flattened` makes the
    flat input of a model from what this layer returns.

    Args:
        table_rows: the number of rows of each table, by width D.
        initial_mean: the mean of the initial embeddings. Defaults to 0.
        row_widths: the number of columns of each table, by width D, where it is not D. Defaults to
            none.

    Call arguments:
        ids: rows of the tables, integer, (R, Σ length).
        slots: the fields of `ids`, in order.

    Returns:
        For each width of the slots, ascending, the embeddings (Σ length, R, D). They come field by
        field, because rows of one field lie near each other in the table: reading and updating them
        in this order is faster, and their gradient comes in this order, too.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import FieldEmbedding, SlotLayout, flattened
        >>> slots = [
        ...     SlotLayout(start=0, length=1, width=4, missing_row=0),
        ...     SlotLayout(start=1, length=3, width=4, missing_row=1),
        ... ]
        >>> ids = tf.constant([[7, 2, 3, 1], [5, 1, 1, 1]])
        >>> lookups = FieldEmbedding(table_rows={4: 10})(ids, slots=slots)
        >>> flattened(lookups, ids, None, slots).shape
        TensorShape([2, 8])
    """

    def __init__(
        self,
        table_rows: Mapping[int, int],
        initial_mean: float = 0.0,
        row_widths: Mapping[int, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if any(int(width) < 1 or rows < 1 for width, rows in table_rows.items()):
            raise ValueError(
                f"`table_rows` maps widths to rows, both at least 1. Received: {dict(table_rows)}"
            )
        # JSON turns the widths of a saved configuration into text.
        self.table_rows = {int(width): int(rows) for width, rows in table_rows.items()}
        self.row_widths = {int(width): size for width, size in (row_widths or {}).items()}
        self.initial_mean = initial_mean
        # A network that reads plain numbers only never looks up, and so never builds.
        self.tables: dict[str, tf.Variable] = {}

    def build(self, input_shape: Any) -> None:
        del input_shape
        self.tables = {
            str(width): self.add_weight(
                name=f"table_{width}",
                shape=(rows, self.row_widths.get(width, width)),
                initializer=tf.keras.initializers.RandomNormal(
                    self.initial_mean, _INITIAL_STANDARD_DEVIATION
                ),
            )
            for width, rows in self.table_rows.items()
        }
        self.built = True

    def call(self, ids: tf.Tensor, slots: Sequence[SlotLayout]) -> list[tf.Tensor]:
        widths = sorted({slot.width for slot in slots})
        if not self.table_rows.keys() >= set(widths):
            raise ValueError(
                "`table_rows` must hold a table for each slot's width. "
                f"Received: {self.table_rows} for slots of widths {widths}"
            )
        result = []
        for width, of_width in _by_width(slots):
            columns = [
                column
                for slot in of_width
                for column in range(slot.start, slot.start + slot.length)
            ]
            result.append(self.look_up(width, tf.transpose(tf.gather(ids, columns, axis=1))))
        return result

    def look_up(self, width: int, rows: tf.Tensor) -> tf.Tensor:
        """Return rows of the table of a width: (…) → (…, D)."""
        return tf.gather(self.tables[str(width)], rows)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "table_rows": dict(self.table_rows),
            "initial_mean": self.initial_mean,
            "row_widths": dict(self.row_widths),
        }


def flattened(
    lookups: Sequence[tf.Tensor],
    ids: tf.Tensor | None,
    numbers: tf.Tensor | None,
    slots: Sequence[SlotLayout],
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Flatten the embeddings and numbers of one side.

    Args:
        lookups: the tensors that `FieldEmbedding` returned, one for each width.
        ids: the ids that were looked up, (R, Σ length), or None if the side has no embedded field.
        numbers: plain numbers, float (R, N), or None if the side has none. A number is a field of
            width 1 that stands for itself.
        slots: the fields of `ids`, in order.
        weights: the weights of lists, float of at least 0 (R, Σ length of weighted lists), or None
            if no list has some.

    Returns:
        (R, I): the fields in `flat_order`, then the numbers. A list is the mean of its rows, by
        weights where it has some, and zeros where it is empty or all weights are 0.
    """
    parts = []
    for (width, of_width), lookup in zip(_by_width(slots), lookups, strict=True):
        lists = [slot for slot in of_width if slot.length > 1]
        singles = len(of_width) - len(lists)
        embeddings = tf.transpose(lookup, [1, 0, 2])
        if singles:
            parts.append(tf.reshape(embeddings[:, :singles], [-1, singles * width]))
        if lists:
            parts.append(_pooled(ids, embeddings[:, singles:], lists, width, weights))
    if numbers is not None:
        parts.append(numbers)
    return tf.concat(parts, axis=1)


def set_apart(
    lookups: Sequence[tf.Tensor], looked_up: Sequence[SlotLayout], slots: Sequence[SlotLayout]
) -> tuple[list[tf.Tensor], dict[SlotLayout, tf.Tensor]]:
    """Take what was looked up apart.

    Args:
        lookups: the tensors that `FieldEmbedding` returned for `looked_up`.
        looked_up: the fields that were looked up.
        slots: some of the fields, in the same order.

    Returns:
        What `FieldEmbedding` would have returned for `slots`, and the embeddings of each other
        field, (length, R, D).
    """
    result: list[tf.Tensor] = []
    apart: dict[SlotLayout, tf.Tensor] = {}
    for (_, of_width), lookup in zip(_by_width(looked_up), lookups, strict=True):
        # One split, because the gradient of a slice is as large as what it is cut from.
        runs = [
            list(run)
            for is_apart, group in itertools.groupby(of_width, lambda slot: slot not in slots)
            for run in ([[slot] for slot in group] if is_apart else [group])
        ]
        lengths = [sum(slot.length for slot in run) for run in runs]
        parts = tf.split(lookup, lengths) if len(runs) > 1 else [lookup]
        kept = [part for run, part in zip(runs, parts, strict=True) if run[0] in slots]
        apart |= {
            run[0]: part for run, part in zip(runs, parts, strict=True) if run[0] not in slots
        }
        if kept:
            result.append(kept[0] if len(kept) == 1 else tf.concat(kept, axis=0))
    return result, apart


def _by_width(slots: Sequence[SlotLayout]) -> list[tuple[int, list[SlotLayout]]]:
    return [
        (width, list(group))
        for width, group in itertools.groupby(flat_order(slots), key=lambda slot: slot.width)
    ]


def _pooled(
    ids: tf.Tensor,
    embeddings: tf.Tensor,
    lists: Sequence[SlotLayout],
    width: int,
    weights: tf.Tensor | None,
) -> tf.Tensor:
    """Average the rows of each list: (R, Σ length, D) → (R, lists · D).

    One product with a constant 0/1 matrix sums all lists.
    """
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
    are_weighted = any(slot.weights is not None for slot in lists)
    if are_weighted:
        present *= _weights_of_columns(weights, lists, embeddings.dtype)
    sums = tf.einsum(
        "sc,bcd->bsd", tf.cast(membership, embeddings.dtype), embeddings * present[:, :, tf.newaxis]
    )
    counts = tf.einsum("sc,bc->bs", tf.cast(membership, embeddings.dtype), present)
    counts = counts[:, :, tf.newaxis]
    # Weights may add up to less than 1.
    means = tf.math.divide_no_nan(sums, counts) if are_weighted else sums / tf.maximum(counts, 1.0)
    return tf.reshape(means, [-1, len(lists) * width])


def _weights_of_columns(
    weights: tf.Tensor | None, lists: Sequence[SlotLayout], dtype: tf.DType
) -> tf.Tensor:
    """Return the weights of the values of all lists, (R, Σ length); 1 where a list has none."""
    if weights is None:
        raise ValueError("`weights` is needed: a list of `slots` has weights. Received: None")
    with_one = tf.pad(tf.cast(weights, dtype), [[0, 0], [0, 1]], constant_values=1)
    one = weights.shape[1]
    columns = [
        one if slot.weights is None else slot.weights + place
        for slot in lists
        for place in range(slot.length)
    ]
    return tf.gather(with_one, columns, axis=1)

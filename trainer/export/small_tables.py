"""Embedding tables in fewer bits for serving: float16, or int8 with a scale for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.field_embedding import FieldEmbedding
from trainer.network.network import AssembledNetwork
from trainer.network.table_blocks import Indices, Values, read_table

SmallType = Literal["float16", "int8"]
_LARGEST_INT8 = 127.0
_BLOCK_ROWS = 1 << 14


def with_small_tables(network: AssembledNetwork, dtype: SmallType) -> AssembledNetwork:
    """Return a network whose tables are copies in fewer bits; the rest is shared.

    Args:
        network: a built network.
        dtype: `float16`, in which a value keeps 11 bits; or `int8`, in which it becomes one of 255
            multiples of the row's largest absolute value / 127.

    Raises:
        ValueError: a table holds values that float16 does not reach.
    """
    return AssembledNetwork(
        network.layout,
        [SmallTables(embedding, dtype) for embedding in network.embeddings],
        network.sharing,
        network.towers,
        network.attentions,
        gates=network.gates,
        task_tables=network.task_tables,
        crosses=network.crosses,
        exposure_towers=network.exposure_towers,
        projections=network.projections,
        name=network.name,
    )


class SmallTables(FieldEmbedding):
    """Field embeddings whose tables take fewer bits. They cannot be trained.

    Args:
        trained: a layer that is built.
        dtype: see `with_small_tables`.
    """

    def __init__(self, trained: FieldEmbedding, dtype: SmallType) -> None:
        super().__init__(trained.table_rows, trained.initial_mean, name=trained.name)
        self.values: dict[str, tf.Variable] = {}
        self.scales: dict[str, tf.Variable] = {}
        for width, table in trained.tables.items():
            with np.errstate(over="ignore", invalid="ignore"):
                values, scales = _in_fewer_bits(read_table(table), table.shape, dtype)
            if not np.isfinite(scales if dtype == "int8" else values).all():
                raise ValueError(
                    f"the table of width {width} holds values that {dtype} does not reach, of "
                    f"{np.finfo(np.float16).max:g} and more: export it with "
                    "trainer.export_table_dtype=float32"
                )
            self.values[width] = tf.Variable(values, trainable=False, name=f"table_{width}")
            if dtype == "int8":
                self.scales[width] = tf.Variable(scales, trainable=False, name=f"scale_{width}")

    def build(self, input_shape: object) -> None:
        """Make no weights: the values are there."""
        del input_shape
        self.built = True

    def look_up(self, width: int, rows: tf.Tensor) -> tf.Tensor:
        """Return rows of the table of a width, float32: (…) → (…, D)."""
        values = tf.cast(tf.gather(self.values[str(width)], rows), tf.float32)
        if not self.scales:
            return values
        return values * tf.gather(self.scales[str(width)], rows)[..., tf.newaxis]

    def read_rows(self, width: int, rows: Indices) -> Iterator[Values]:
        """Yield rows of a table as they are looked up, (rows, D), in blocks."""
        for first in range(0, len(rows), _BLOCK_ROWS):
            yield self.look_up(width, tf.constant(rows[first : first + _BLOCK_ROWS])).numpy()


def _in_fewer_bits(
    blocks: Iterable[npt.NDArray[np.float32]],
    shape: tuple[int, int],
    dtype: SmallType,
) -> tuple[npt.NDArray[np.float16 | np.int8], npt.NDArray[np.float32]]:
    """Return the values of a table, (rows, D), and what multiplies each of its rows, (rows,)."""
    values, scales = np.empty(shape, dtype), np.ones(shape[0], np.float32)
    first = 0
    for block in blocks:
        last, rounded = first + len(block), block
        if dtype == "int8":
            scales[first:last] = np.abs(block).max(axis=1) / _LARGEST_INT8
            # A row of zeros has a scale of 0.
            divisors = np.where(scales[first:last] == 0.0, 1.0, scales[first:last])
            rounded = np.rint(rounded / divisors[:, np.newaxis])
        values[first:last] = rounded
        first = last
    return values, scales

"""Embedding tables, and what optimizers keep for their rows, read and written without a copy.

After a training step has changed some rows of a table, TensorFlow copies the table each time that
it is read as a whole. Rows that are looked up are not copied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Enough for fast reading, few enough for memory.
_BLOCK_BYTES = 1 << 20

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


def read_rows(table: tf.Variable, rows: Indices) -> Iterator[Values]:
    """Yield rows of a table, (rows, D), in blocks."""
    own, count = _replicas(table)[0], _block_rows(table)
    for first in range(0, len(rows), count):
        yield tf.gather(own, rows[first : first + count]).numpy()


def read_table(table: tf.Variable) -> Iterator[Values]:
    """Yield all rows of a table in blocks."""
    own, count = _replicas(table)[0], _block_rows(table)
    for first in range(0, table.shape[0], count):
        yield tf.gather(own, tf.range(first, min(first + count, table.shape[0]))).numpy()


def write_rows(table: tf.Variable, rows: Indices, values: Values) -> None:
    """Replace rows (N,) of a table by values (N, D)."""
    for own in _replicas(table):
        own.scatter_update(tf.IndexedSlices(tf.constant(values), tf.constant(rows)))


def _block_rows(table: tf.Variable) -> int:
    return max(1, _BLOCK_BYTES // (table.dtype.size * max(1, table.shape[1:].num_elements())))


def _replicas(table: tf.Variable) -> tuple[tf.Variable, ...]:
    """Return the variables of a table on this machine, which are equal."""
    return table.values if isinstance(table, tf.distribute.DistributedValues) else (table,)

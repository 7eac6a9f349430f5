"""Transformed examples as columns, in an order that follows from their content and a seed.

tf.data shuffles what passes through a buffer: the order of the files shows, a training that was
killed cannot go on in the middle of an epoch without reading all before, and no epoch's order can
be had again. Here an epoch's order is a function of seed and epoch, of examples that lie sorted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from feature_spec import names

Columns = Mapping[str, npt.NDArray[np.generic]]

# Rows that lie side by side are read together; rows of a window are mixed with each other. Their
# numbers are part of the order.
_BLOCK_ROWS, _WINDOW_BYTES = 1024, 64 << 20
_PREFETCHED_BATCHES = 8


class Examples:
    """Examples in memory or on disk, which give batches in a given order.

    Args:
        columns: features, labels and masks by name, (rows, ·) each.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = dict(columns)
        self.rows = len(next(iter(self.columns.values())))

    def shuffled(
        self, batch_size: int, seed: int, *, epoch: int = 0, step: int = 0
    ) -> tf.data.Dataset:
        """Return batches of one epoch after the other, without end, each in an order of its own.

        The last examples of an epoch that do not fill a batch are left out of it.

        Args:
            batch_size: B, at most the number of rows.
            seed: the seed of the order.
            epoch: the epoch to begin with.
            step: the batch of this epoch to begin with.
        """

        def windows() -> Iterator[Columns]:
            first = step * batch_size
            for number in itertools.count(epoch):
                for rows in self._windows_of_epoch(batch_size, seed, number):
                    if first < len(rows):
                        yield self._of_rows(rows[first:])
                    first = max(0, first - len(rows))

        return self._dataset(windows, batch_size, drop_remainder=True)

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """Return batches of all examples once, in their order; the last may be smaller."""

        def windows() -> Iterator[Columns]:
            size = self._window_rows(batch_size)
            for first in range(0, self.rows, size):
                # A copy: TensorFlow would share the memory, and write results over its last batch.
                yield {
                    name: np.array(values[first : first + size])
                    for name, values in self.columns.items()
                }

        dataset = self._dataset(windows, batch_size, drop_remainder=False)
        return dataset.apply(tf.data.experimental.assert_cardinality(-(-self.rows // batch_size)))

    def first_rows(self, count: int) -> dict[str, tf.Tensor]:
        """Return the first rows as a batch."""
        return {name: tf.constant(values[:count]) for name, values in self.columns.items()}

    def of_task(self, column: int) -> Examples:
        """Return the examples with labels and masks, (rows, 1), of the task in this column."""
        own = {
            name: self.columns[name][:, column : column + 1] for name in (names.LABELS, names.MASKS)
        }
        return Examples({**self.columns, **own})

    def _windows_of_epoch(
        self, batch_size: int, seed: int, epoch: int
    ) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the rows of an epoch in its order, in windows that hold whole batches."""
        random = np.random.default_rng([seed, epoch])
        blocks = random.permutation(-(-self.rows // _BLOCK_ROWS))
        size = self._window_rows(batch_size)
        waiting: list[npt.NDArray[np.int64]] = []
        left = self.rows // batch_size * batch_size
        for place, block in enumerate(blocks):
            first = int(block) * _BLOCK_ROWS
            waiting.append(np.arange(first, min(first + _BLOCK_ROWS, self.rows)))
            if sum(map(len, waiting)) >= size or place == len(blocks) - 1:
                rows = random.permutation(np.concatenate(waiting))
                whole = min(len(rows) // batch_size * batch_size, left)
                yield rows[:whole]
                waiting, left = [rows[whole:]], left - whole

    def _window_rows(self, batch_size: int) -> int:
        of_row = sum(values[:1].nbytes for values in self.columns.values())
        return max(1, _WINDOW_BYTES // max(1, of_row) // batch_size) * batch_size

    def _of_rows(self, rows: npt.NDArray[np.int64]) -> Columns:
        return {name: values[rows] for name, values in self.columns.items()}

    def _dataset(
        self, windows: Callable[[], Iterator[Columns]], batch_size: int, *, drop_remainder: bool
    ) -> tf.data.Dataset:
        signature = {
            name: tf.TensorSpec([None, *values.shape[1:]], values.dtype, name=name)
            for name, values in self.columns.items()
        }
        dataset = tf.data.Dataset.from_generator(windows, output_signature=signature)
        dataset = dataset.prefetch(1).rebatch(batch_size, drop_remainder=drop_remainder)
        options = tf.data.Options()
        # The thread of tf.data's autotuner delays the end of each pass by up to a second.
        options.autotune.enabled = False
        return dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)

"""Examples for tests of what is in which batch."""

from __future__ import annotations

import tensorflow as tf

from trainer.inputs.examples import Examples


class FixedOrder(Examples):
    """Examples whose batches hold the rows in their order, `times` times an epoch."""

    def __init__(self, columns, times=1):
        super().__init__(columns)
        self.of_once, self.rows = self.rows, times * self.rows

    def shuffled(self, batch_size, seed, *, epoch=0, step=0):
        del seed, epoch
        batches = tf.data.Dataset.from_tensor_slices(self.columns).repeat()
        return batches.batch(batch_size, drop_remainder=True).skip(step)

    def in_order(self, batch_size):
        return tf.data.Dataset.from_tensor_slices(self.columns).batch(batch_size)

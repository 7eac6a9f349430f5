"""Averages of weights over the last steps, which are validated and exported in their place.

Keras' optimizers have averages of their own (`use_ema`), but over all weights: a table of millions
of rows would be copied at each step. The averages here leave embedding tables out.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import tensorflow as tf

from trainer.network.network import Network


class WeightAverages(tf.Module):
    """Exponential averages of all weights but embedding tables (Polyak and Juditsky, 1992).

    They follow the noise of single batches less than the weights themselves.

    Args:
        network: a network with its weights.
        steps: the number of steps after which a weight's share of the average is 1/e.
    """

    def __init__(self, network: Network, steps: int) -> None:
        super().__init__()
        tables = {table.ref() for table in network.embedding_tables}
        self._weights = [
            weight for weight in network.trainable_variables if weight.ref() not in tables
        ]
        self._steps = steps
        self.averages = [tf.Variable(weight, trainable=False) for weight in self._weights]
        self.begun = tf.Variable(False, trainable=False)

    def follow(self, steps: int) -> None:
        """Take in the weights after `steps` more steps."""
        kept = math.exp(-steps / self._steps) if bool(self.begun) else 0.0
        for average, weight in zip(self.averages, self._weights, strict=True):
            average.assign(kept * average + (1.0 - kept) * weight)
        self.begun.assign(True)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages in the place of the weights until the context ends."""
        if not bool(self.begun):
            yield
            return
        own = [tf.identity(weight) for weight in self._weights]
        for weight, average in zip(self._weights, self.averages, strict=True):
            weight.assign(average)
        try:
            yield
        finally:
            for weight, value in zip(self._weights, own, strict=True):
                weight.assign(value)

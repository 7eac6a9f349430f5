"""Dynamic weight averaging."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.loss.balancing.balancing import Balancing, synchronised_variable


class DynamicWeightAverage(Balancing):
    """More weight for tasks whose loss falls slowly (Liu et al., CVPR 2019, Eq 7).

    λ_k = K · softmax_k(r_k / T) with r_k the mean loss of the last epoch over that of the one
    before, over the rows of its sample space; 1 in the first two epochs. A task without a row in
    one of the two epochs, or without a loss, has r_k = 1.

    Args:
        tasks: K.
        temperature: T: the larger, the more alike the weights.
    """

    reads_losses = True

    def __init__(self, tasks: int, temperature: float) -> None:
        super().__init__(name="dynamic_weight_average")
        self.temperature = temperature
        self.sums = synchronised_variable(tf.zeros(tasks), "sums")
        self.rows = synchronised_variable(tf.zeros(tasks), "rows")
        # Means of the last epoch and the one before; 0 where there was none.
        self.recent = synchronised_variable(tf.zeros([2, tasks]), "recent")

    def weights(self) -> tf.Tensor:
        """λ, (K,); their sum is K."""
        last, before = self.recent[0], self.recent[1]
        known = tf.logical_and(last > 0.0, before > 0.0)
        rates = tf.where(known, tf.math.divide_no_nan(last, before), 1.0)
        return tf.cast(tf.size(rates), tf.float32) * tf.nn.softmax(rates / self.temperature)

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """λ_k L_k."""
        del presence
        weights = self.weights()
        return [weights[k] * loss for k, loss in enumerate(losses)]

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Adds a batch to the epoch's means."""
        self.sums.assign_add(losses * sizes)
        self.rows.assign_add(sizes)

    def end_epoch(self) -> None:
        """Moves on by an epoch."""
        self.recent.assign(tf.stack([tf.math.divide_no_nan(self.sums, self.rows), self.recent[0]]))
        self.sums.assign(tf.zeros_like(self.sums))
        self.rows.assign(tf.zeros_like(self.rows))

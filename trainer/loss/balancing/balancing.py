"""The one interface of all ways to balance tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf


class Balancing(tf.Module):
    """`none`: the weights ω of PLE Eq 10 alone. Other ways derive from this one and multiply ω, which stays the team's own say.

    Only training is balanced: the validation, early stopping and blessing see each task's own
    metric. Trainable variables are trained with the model, and all variables are in its checkpoint.

    Attributes:
        reads_losses: whether it learns from the tasks' own losses, by `observe` or otherwise.
    """

    reads_losses: ClassVar[bool] = False

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """What ω multiplies. XLA compiles it with the dense part of the step.

        Args:
            losses: L_k of each task, K scalars, 0 where the batch has no row of the task's sample
                space.
            presence: 1 for a task with a row in the batch and 0 for others, divided by the number
                of replicas, (K,): it multiplies what no row decides, so that the sum over replicas
                counts it once.
        """
        del presence
        return list(losses)

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Called after each step, if it reads losses.

        Args:
            losses: L_k of each task over the whole batch, (K,).
            sizes: rows of each sample space in the whole batch, (K,).
        """
        del losses, sizes

    def end_epoch(self) -> None:
        """Called after the last step of an epoch, before the checkpoint."""


def synchronised_variable(value: tf.Tensor, name: str) -> tf.Variable:
    """A variable that is not trained and that all replicas assign the same."""
    return tf.Variable(
        value, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )

"""Ways to balance tasks by weights on their losses, each from its paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf


class Balancing(tf.Module):
    """No balancing beyond the weights ω of PLE, Eq 10. All other methods derive from this class.

    A method multiplies ω, by which the team keeps its say. Only training is balanced: validation,
    early stopping and blessing see each task's own metric. The variables of a method are in the
    model's checkpoint, and trainable ones are trained with the model.

    Attributes:
        reads_losses: whether the method learns from the tasks' losses, by `observe` or otherwise.
        reads_losses_again: whether the method also learns from the losses of the same batch after
            the step, by `observe_again`, which costs a forward pass.
    """

    reads_losses: ClassVar[bool] = False
    reads_losses_again: ClassVar[bool] = False

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Weigh the losses, before ω multiplies them. XLA compiles it with the dense part.

        Args:
            losses: L_k of each task, K scalars; 0 if the batch has no row in the sample space.
            presence: 1 for a task with a row in the batch and 0 for others, divided by the number
                of replicas, (K,). It multiplies terms that depend on no row, so that the sum over
                replicas counts them once.
        """
        del presence
        return list(losses)

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Learn from the losses of a step. The trainer calls it if the method reads losses.

        Args:
            losses: L_k of each task over the whole batch, (K,).
            sizes: the number of rows in each sample space of the whole batch, (K,).
        """
        del losses, sizes

    def observe_again(self, before: tf.Tensor, after: tf.Tensor, sizes: tf.Tensor) -> None:
        """Learn from what a step changed. The trainer calls it if the method reads losses again.

        Args:
            before: L_k of each task over the whole batch, (K,).
            after: the same losses with the weights after the step, (K,).
            sizes: the number of rows in each sample space of the whole batch, (K,).
        """
        del before, after, sizes

    def end_epoch(self) -> None:
        """End an epoch: after its last step, before the checkpoint."""

    def task_weights(self) -> tf.Tensor | None:
        """Return what each task's loss is multiplied by in addition to ω, (K,); None for 1."""
        return None


def synchronised_variable(value: tf.Tensor, name: str) -> tf.Variable:
    """Make an untrained variable that all replicas assign the same value."""
    return tf.Variable(
        value, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )


class UncertaintyWeighting(Balancing):
    """Weighs each task by its learnt noise σ_k (Kendall et al., Eq 5–10).

    The term is L_k / (2σ_k²) + log σ_k for a squared error and L_k / σ_k² + log σ_k for others.
    log σ_k² is learnt, from 0. A term may become negative. ω_k multiplies both parts; if it
    multiplied the first only, σ_k would unlearn it. A batch without a row of a task says nothing of
    its noise, so log σ_k is left out there.

    Args:
        squared: whether the loss of each task is a squared error.

    References:
        Kendall et al., Multi-task learning using uncertainty to weigh losses, CVPR 2018:
        https://arxiv.org/abs/1705.07115
    """

    def __init__(self, squared: Sequence[bool]) -> None:
        super().__init__(name="uncertainty_weighting")
        self.scales = [0.5 if one else 1.0 for one in squared]
        self.log_variances = tf.Variable(tf.zeros(len(self.scales)), name="log_variances")

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Return both parts for each task."""
        precisions = tf.exp(-self.log_variances)
        log_deviations = presence * self.log_variances / 2.0
        return [
            scale * precisions[k] * loss + log_deviations[k]
            for k, (scale, loss) in enumerate(zip(self.scales, losses, strict=True))
        ]

    def task_weights(self) -> tf.Tensor:
        """Return 1 / σ_k², and half of it for squared errors."""
        return tf.constant(self.scales) * tf.exp(-self.log_variances)


class DynamicWeightAverage(Balancing):
    """Weighs tasks more if their loss falls slowly (Liu et al., Eq 7).

    λ_k = K · softmax_k(r_k / T), where r_k is the mean loss of the last epoch over the mean loss of
    the epoch before, on the rows of the task's sample space. λ is 1 in the first two epochs. r_k is
    1 if the task has no row, or no loss, in one of the two epochs.

    Args:
        tasks: K, the number of tasks.
        temperature: T. The larger T, the more alike the weights.

    References:
        Liu et al., End-to-end multi-task learning with attention, CVPR 2019:
        https://arxiv.org/abs/1803.10704
    """

    reads_losses = True

    def __init__(self, tasks: int, temperature: float) -> None:
        super().__init__(name="dynamic_weight_average")
        self.temperature = temperature
        self.sums = synchronised_variable(tf.zeros(tasks), "sums")
        self.rows = synchronised_variable(tf.zeros(tasks), "rows")
        # The means of the last epoch and of the one before; 0 if there was none.
        self.recent = synchronised_variable(tf.zeros([2, tasks]), "recent")

    def task_weights(self) -> tf.Tensor:
        """Return λ, (K,), whose sum is K."""
        last, before = self.recent[0], self.recent[1]
        known = tf.logical_and(last > 0.0, before > 0.0)
        rates = tf.where(known, tf.math.divide_no_nan(last, before), 1.0)
        return tf.cast(tf.size(rates), tf.float32) * tf.nn.softmax(rates / self.temperature)

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Return λ_k L_k of each task."""
        del presence
        weights = self.task_weights()
        return [weights[k] * loss for k, loss in enumerate(losses)]

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Add a batch to the epoch's means."""
        self.sums.assign_add(losses * sizes)
        self.rows.assign_add(sizes)

    def end_epoch(self) -> None:
        """Move on by an epoch."""
        self.recent.assign(tf.stack([tf.math.divide_no_nan(self.sums, self.rows), self.recent[0]]))
        self.sums.assign(tf.zeros_like(self.sums))
        self.rows.assign(tf.zeros_like(self.rows))

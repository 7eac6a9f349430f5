"""Ways to balance tasks by weights on their losses, each from its paper."""

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


class UncertaintyWeighting(Balancing):
    """Each task's loss by its learnt noise σ_k (Kendall et al., CVPR 2018, Eq 5–10).

    L_k / (2σ_k²) + log σ_k for a regression and L_k / σ_k² + log σ_k for a binary task, with log
    σ_k² learnt, from 0. A term may become negative. ω_k multiplies both parts: were it in the first
    only, σ_k would unlearn it. A batch without a row of a task says nothing of its noise, so log
    σ_k is left out there.

    Args:
        kinds: `binary` or `regression` for each task.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(name="uncertainty_weighting")
        self.scales = [0.5 if kind == "regression" else 1.0 for kind in kinds]
        self.log_variances = tf.Variable(tf.zeros(len(kinds)), name="log_variances")

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Both parts for each task."""
        precisions = tf.exp(-self.log_variances)
        log_deviations = presence * self.log_variances / 2.0
        return [
            scale * precisions[k] * loss + log_deviations[k]
            for k, (scale, loss) in enumerate(zip(self.scales, losses, strict=True))
        ]


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

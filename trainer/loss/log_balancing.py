"""Ways to balance tasks by the logarithms of their losses, each from its paper."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.loss.balancing import Balancing, synchronised_variable

# A batch counts in a running mean as 1 % of it.
_DECAY = 0.99
_SMALLEST_LOSS = 1e-8


class LogBalancing(Balancing):
    """Weighs tasks by the gradients of a function of log L_k.

    The gradient of log L_k is ∇L_k / L_k. The papers divide by the loss of the batch. A batch of a
    rare label often has no positive, and then a small loss: it would count more than one that has,
    and the task would be predicted too rarely. So L_k is divided by its running mean, about that of
    the last hundred batches with a row of the task, which no single batch changes much. Replicas
    know it without waiting for each other.

    Only the direction of the sum is the papers': the weights of the K tasks sum to K, as without
    balancing, so that penalties and the clipping of gradients mean the same. A task that has not
    had a row weighs 1. A task whose ω is 0 takes no part.

    Args:
        counted: whether ω of the task is above 0, for each task.
        name: the name of the method.
    """

    reads_losses = True

    def __init__(self, counted: Sequence[bool], name: str) -> None:
        super().__init__(name=name)
        self.counted = tf.constant(list(counted))
        tasks = len(counted)
        self.sums = synchronised_variable(tf.zeros(tasks), "sums")
        self.rows = synchronised_variable(tf.zeros(tasks), "rows")

    def means(self) -> tf.Tensor:
        """Return the running mean of each task's loss, (K,); 0 if it has had no row."""
        return tf.math.divide_no_nan(tf.identity(self.sums), tf.identity(self.rows))

    def shares(self, means: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Return the weight of each task's log L_k, (K,), up to a factor that all have.

        Args:
            means: the running means of the losses, (K,).
            known: whether the task takes part, (K,).
        """
        raise NotImplementedError

    def task_weights(self) -> tf.Tensor:
        """Return the weight of each task's L_k, (K,)."""
        means = self.means()
        known = self.counted & (means > 0.0)
        of_known = tf.cast(known, tf.float32)
        weights = self.shares(means, known) * tf.math.divide_no_nan(of_known, means)
        number = tf.reduce_sum(of_known)
        return tf.where(known, number * tf.math.divide_no_nan(weights, tf.reduce_sum(weights)), 1.0)

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Return each task's loss times its weight."""
        del presence
        weights = self.task_weights()
        return [weights[k] * loss for k, loss in enumerate(losses)]

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Add a batch to the running means of the tasks that have a row in it."""
        decay = tf.where(sizes > 0.0, _DECAY, 1.0)
        self.sums.assign(decay * self.sums + losses * sizes)
        self.rows.assign(decay * self.rows + sizes)


# The moments of Adam, and what keeps it from dividing by 0.
_MOMENTS, _EPSILON = (0.9, 0.999), 1e-8


class FAMO(LogBalancing):
    """Lets the losses of all tasks fall at the same relative rate (Liu et al., Algorithm 1).

    It descends Σ z_k log L_k with z = softmax(w). After each step it computes the losses of the
    same batch once more: δ_k = log L_k before − log L_k after the step, and w takes a step of Adam
    along the gradient of Σ z_k δ_k, plus the decay γ w. So the weight of a task that fell faster
    than others shrinks. This costs a forward pass a step, whatever the number of tasks. Losses are
    never negative, and the paper's lower bound of each is 0 here.

    A task without a row in the batch has no δ: its w and its z stay as they are.

    Args:
        counted: whether ω of the task is above 0, for each task.
        decay: γ. The larger γ, the nearer z stays to equal weights.
        learning_rate: β, the rate of Adam.

    References:
        Liu et al., FAMO: Fast adaptive multitask optimization, NeurIPS 2023:
        https://arxiv.org/abs/2306.03792
    """

    reads_losses_again = True

    def __init__(self, counted: Sequence[bool], decay: float, learning_rate: float = 0.025) -> None:
        super().__init__(counted, name="famo")
        self.decay, self.learning_rate = decay, learning_rate
        tasks = len(counted)
        self.logits = synchronised_variable(tf.zeros(tasks), "logits")
        self.moments = synchronised_variable(tf.zeros([2, tasks]), "moments")
        self.steps = synchronised_variable(tf.zeros(tasks), "steps")

    def shares(self, means: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Return z."""
        del means, known
        return tf.nn.softmax(tf.identity(self.logits))

    def observe_again(self, before: tf.Tensor, after: tf.Tensor, sizes: tf.Tensor) -> None:
        """Learn w from the losses of a batch before and after a step on it.

        Args:
            before: L_k of each task over the whole batch, (K,).
            after: the same losses with the new weights, (K,).
            sizes: the number of rows in each sample space of the whole batch, (K,).
        """
        present = self.counted & (sizes > 0.0)
        taking_part = tf.cast(present, tf.float32)
        falls = taking_part * tf.math.log((before + _SMALLEST_LOSS) / (after + _SMALLEST_LOSS))
        logits = tf.identity(self.logits)
        z = tf.nn.softmax(logits) * taking_part
        # The mean over the tasks that take part, so that w moves only among these.
        mean = tf.math.divide_no_nan(tf.reduce_sum(z * falls), tf.reduce_sum(z))
        gradient = z * (falls - mean) + self.decay * taking_part * logits
        steps = self.steps + taking_part
        moments = [
            taking_part * (rate * old + (1.0 - rate) * new) + (1.0 - taking_part) * old
            for rate, old, new in zip(
                _MOMENTS, tf.unstack(self.moments), (gradient, gradient**2), strict=True
            )
        ]
        mean_gradient, square = (
            tf.math.divide_no_nan(moment, 1.0 - rate**steps)
            for rate, moment in zip(_MOMENTS, moments, strict=True)
        )
        moved = logits - self.learning_rate * taking_part * mean_gradient / (
            tf.sqrt(square) + _EPSILON
        )
        # The z of the tasks that take part keep their sum, and so the others keep theirs.
        moved += taking_part * (_log_sum(logits, present) - _log_sum(moved, present))
        self.logits.assign(moved)
        self.moments.assign(tf.stack(moments))
        self.steps.assign(steps)


def _log_sum(logits: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Return the logarithm of Σ exp over the tasks that are present; 0 if none is."""
    total = tf.reduce_logsumexp(tf.where(present, logits, float("-inf")))
    return tf.where(tf.reduce_any(present), total, 0.0)


class SmoothTchebycheff(LogBalancing):
    """Minimises a smooth maximum over the tasks: the loss of the worst one (Lin et al.).

    A task is the worse, the higher its loss is beside its nadir, the mean over the first epoch:
    ℓ_k = log(L_k / nadir_k). The objective is K μ log Σ_k exp(ℓ_k / μ), the weight of whose ∇ℓ_k is
    K softmax_k(ℓ / μ). The first epoch is the warm-up: it minimises Σ_k log L_k, as the authors'
    code does.

    Args:
        counted: whether ω of the task is above 0, for each task.
        smoothness: μ. The smaller μ, the more the worst task decides alone; a large one gives all
            tasks the same say.

    References:
        Lin et al., Smooth Tchebycheff scalarization for multi-objective optimization, ICML 2024:
        https://arxiv.org/abs/2402.19078
    """

    def __init__(self, counted: Sequence[bool], smoothness: float) -> None:
        super().__init__(counted, name="smooth_tchebycheff")
        self.smoothness = smoothness
        tasks = len(counted)
        self.epoch_sums = synchronised_variable(tf.zeros(tasks), "epoch_sums")
        self.epoch_rows = synchronised_variable(tf.zeros(tasks), "epoch_rows")
        # 0 until the task has had an epoch with a row.
        self.nadirs = synchronised_variable(tf.zeros(tasks), "nadirs")

    def shares(self, means: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Return softmax(ℓ / μ), in which a task without a nadir has the mean share of the rest."""
        nadirs = tf.identity(self.nadirs)
        compared = known & (nadirs > 0.0)
        ratios = tf.math.log(tf.where(compared, tf.math.divide_no_nan(means, nadirs), 1.0))
        logits = tf.where(compared, ratios / self.smoothness, float("-inf"))
        # Without a nadir of any task, all have the same share.
        logits = tf.where(tf.reduce_any(compared), logits, 0.0)
        number = tf.reduce_sum(tf.cast(compared, tf.float32))
        return tf.where(
            compared, tf.nn.softmax(logits), tf.math.divide_no_nan(1.0, tf.maximum(number, 1.0))
        )

    def observe(self, losses: tf.Tensor, sizes: tf.Tensor) -> None:
        """Add a batch to the running means and to those of the epoch."""
        super().observe(losses, sizes)
        self.epoch_sums.assign_add(losses * sizes)
        self.epoch_rows.assign_add(sizes)

    def end_epoch(self) -> None:
        """Take the epoch's means as nadirs of the tasks that have none."""
        means = tf.math.divide_no_nan(tf.identity(self.epoch_sums), tf.identity(self.epoch_rows))
        nadirs = tf.identity(self.nadirs)
        self.nadirs.assign(tf.where(nadirs > 0.0, nadirs, means))
        self.epoch_sums.assign(tf.zeros_like(self.epoch_sums))
        self.epoch_rows.assign(tf.zeros_like(self.epoch_rows))

"""Ways to balance tasks by their gradients, each from its paper.

A step takes a backward pass for each task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

from trainer.loss.balancing import Balancing, synchronised_variable

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices"


class GradientBalancing(Balancing):
    """Weighs the tasks' gradients on the weights that they share."""

    reads_losses = True

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Return the factor of each task's gradient on the shared weights, (K,).

        Args:
            products: g_i · g_j of the gradients of the tasks' terms on the shared weights, (K, K).
            losses: L_k over the whole batch, (K,).
            sizes: the number of rows in each sample space of the whole batch, (K,).
            weights: ω of this step, (K,).
        """
        raise NotImplementedError

    def combine(
        self,
        gradients: Sequence[Sequence[Gradient]],
        shared: Sequence[bool],
        losses: tf.Tensor,
        sizes: tf.Tensor,
        weights: tf.Tensor,
    ) -> list[Gradient]:
        """Combine the gradients of all terms into one for each variable.

        Args:
            gradients: gradients by term and variable, summed over replicas: first those of the K
                tasks' terms, then those of penalties, which count as they are.
            shared: whether tasks share the variable. A task's own variables take its gradient as it
                is.
            losses: see `factors`.
            sizes: see `factors`.
            weights: see `factors`.
        """
        by_variable = [_stacked(of_variable) for of_variable in zip(*gradients, strict=True)]
        products = tf.add_n(
            [
                _products(stack)
                for (stack, _), is_shared in zip(by_variable, shared, strict=True)
                if is_shared
            ]
        )
        tasks = losses.shape[0]
        factors = self.factors(products[:tasks, :tasks], losses, sizes, weights)
        factors = tf.concat([factors, tf.ones(len(gradients) - tasks)], axis=0)
        combined = []
        for (stack, rows), is_shared in zip(by_variable, shared, strict=True):
            total = (
                tf.tensordot(factors, stack, axes=1) if is_shared else tf.reduce_sum(stack, axis=0)
            )
            combined.append(total if rows is None else tf.IndexedSlices(total, rows))
        return combined


def _stacked(gradients: Sequence[Gradient]) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Stack the gradients of one variable, (K, ·); for a table, also return their rows."""
    if not isinstance(gradients[0], tf.IndexedSlices):
        return tf.stack(gradients), None
    # A row may occur many times in a batch, but products need its whole gradient.
    rows, places = tf.unique(tf.concat([gradient.indices for gradient in gradients], axis=0))
    places_of_tasks = tf.split(places, [tf.size(gradient.indices) for gradient in gradients])
    stack = [
        tf.math.unsorted_segment_sum(gradient.values, places_of_task, tf.size(rows))
        for gradient, places_of_task in zip(gradients, places_of_tasks, strict=True)
    ]
    return tf.stack(stack), rows


def _products(stack: tf.Tensor) -> tf.Tensor:
    flat = tf.reshape(stack, [stack.shape[0], -1])
    return tf.matmul(flat, flat, transpose_b=True)


# The paper's; the weights step by Adam, so that the scale of the gradients does not decide how far.
_LEARNING_RATE = 0.025
# A weight of 0 or less would turn a task off or around.
_SMALLEST_WEIGHT = 1e-3


class GradNorm(GradientBalancing):
    """Learns weights w_k under which tasks train at similar rates (Chen et al., Eq 1–2).

    G_k = ‖∇ w_k L_k‖ on the shared weights is drawn to Ḡ · r_k^α, where Ḡ is the mean of G and r_k
    the inverse training rate: L_k / L_k(0) over its mean. After each step the weights are scaled to
    Σ w_k = K (Algorithm 1). The paper takes the last shared layer. Here the shared weights are the
    tables and the whole sharing architecture, because models differ in which layer is the last.

    G_k is measured without ω_k, which then multiplies the balanced loss. L_k(0) is the loss of the
    first batch with a row of the task. A task without a row in a batch takes no part in that
    batch's means and pulls at no weight.

    Args:
        tasks: K, the number of tasks.
        alpha: α. The larger α, the more strongly tasks that lag behind are pulled; 0 makes all
            gradients equally long.

    References:
        Chen et al., GradNorm: gradient normalization for adaptive loss balancing in deep multitask
        networks, ICML 2018: https://arxiv.org/abs/1711.02257
    """

    def __init__(self, tasks: int, alpha: float) -> None:
        super().__init__(name="gradnorm")
        self.alpha = alpha
        self.weights = synchronised_variable(tf.ones(tasks), "weights")
        self.first_losses = synchronised_variable(tf.zeros(tasks), "first_losses")
        self.optimizer = tf.keras.optimizers.legacy.Adam(_LEARNING_RATE)
        # A graph that made the slots in its first step would be traced twice.
        self.optimizer._create_all_weights([self.weights])  # noqa: SLF001 (no public way)

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """Return w_k L_k of each task."""
        del presence
        return [self.weights[k] * loss for k, loss in enumerate(losses)]

    def task_weights(self) -> tf.Tensor:
        """Return w."""
        return tf.identity(self.weights)

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Return 1 for each task, whose term has its weight already; update the weights."""
        present = tf.cast(tf.logical_and(sizes > 0.0, weights > 0.0), tf.float32)
        self.first_losses.assign(tf.where(self.first_losses > 0.0, self.first_losses, losses))
        ratios = tf.math.divide_no_nan(losses, self.first_losses)
        rates = tf.math.divide_no_nan(ratios, _mean(ratios, present))
        norms = tf.math.divide_no_nan(tf.sqrt(tf.linalg.diag_part(products)), weights)
        targets = _mean(norms, present) * tf.pow(rates, self.alpha)
        # The gradient of Σ |G_k − target|, where G_k is w_k ‖∇L_k‖ and the target a constant.
        gradient = present * tf.sign(norms - targets) * tf.math.divide_no_nan(norms, self.weights)
        self.optimizer.apply_gradients(
            [(gradient, self.weights)], experimental_aggregate_gradients=False
        )
        positive = tf.maximum(self.weights, _SMALLEST_WEIGHT)
        self.weights.assign(
            positive * tf.cast(tf.size(positive), tf.float32) / tf.reduce_sum(positive)
        )
        return tf.ones_like(losses)


def _mean(values: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * present), tf.reduce_sum(present))


class PCGrad(GradientBalancing):
    """Projects conflicts out of the tasks' gradients (Yu et al., Algorithm 1).

    The gradient of each task's term ω_k L_k on the shared weights meets the others in random order.
    If its product with g_j is negative, it loses its part along g_j. The shared weights take the
    sum. A task without a row in a batch has no gradient and conflicts with none.

    Args:
        seed: the seed of the order. Together with the number of the step it gives the same order on
            all replicas and after a resume.

    References:
        Yu et al., Gradient surgery for multi-task learning, NeurIPS 2020:
        https://arxiv.org/abs/2001.06782
    """

    def __init__(self, seed: int) -> None:
        super().__init__(name="pcgrad")
        self.seed = seed
        self.steps = synchronised_variable(tf.zeros([], tf.int64), "steps")

    def projections(self, products: tf.Tensor) -> tf.Tensor:
        """Return the factor of each g_j in the projected gradient of task i, (K, K)."""
        tasks = products.shape[0]
        order = tf.random.experimental.stateless_shuffle(
            tf.range(tasks), seed=tf.stack([tf.cast(self.seed, tf.int64), self.steps])
        )
        rows = []
        for i in range(tasks):
            row = tf.one_hot(i, tasks)
            for place in range(tasks):
                j = order[place]
                # A gradient does not conflict with itself, but the product of the projected
                # gradient with it might round below 0.
                conflict = tf.where(
                    tf.equal(i, j), 0.0, tf.minimum(tf.tensordot(row, products[:, j], axes=1), 0.0)
                )
                row -= tf.math.divide_no_nan(conflict, products[j, j]) * tf.one_hot(j, tasks)
            rows.append(row)
        return tf.stack(rows)

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """Return the factor of each gradient in the sum of the projected ones."""
        del losses, sizes, weights
        factors = tf.reduce_sum(self.projections(products), axis=0)
        self.steps.assign_add(1)
        return factors

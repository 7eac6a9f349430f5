"""What is common to ways of balancing that look at each task's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

from trainer.loss.balancing.balancing import Balancing

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices"


class GradientBalancing(Balancing):
    """Weighs the tasks' gradients on the weights that they share. A step costs one backward pass a task."""

    reads_losses = True

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """How much of each task's gradient the shared weights take, (K,).

        Args:
            products: g_i · g_j of the gradients of the tasks' terms on the shared weights, (K, K).
            losses: L_k over the whole batch, (K,).
            sizes: rows of each sample space in the whole batch, (K,).
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
        """The gradient of each variable.

        Args:
            gradients: by term and variable, summed over replicas: first those of the K tasks'
                terms, then those of penalties, which count as they are.
            shared: whether tasks share the variable; a task's own ones take its gradient as it is.
            losses: as for `factors`.
            sizes: as for `factors`.
            weights: as for `factors`.
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
    """One variable's gradients (K, ·), and the rows that they are for if the variable is a table."""
    if not isinstance(gradients[0], tf.IndexedSlices):
        return tf.stack(gradients), None
    # A row may occur many times in a batch; products need its gradient in one piece.
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

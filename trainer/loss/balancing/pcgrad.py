"""PCGrad."""

from __future__ import annotations

import tensorflow as tf

from trainer.loss.balancing.balancing import synchronised_variable
from trainer.loss.balancing.gradient_balancing import GradientBalancing


class PCGrad(GradientBalancing):
    """Projects conflicts out of the tasks' gradients (Yu et al., NeurIPS 2020, Algorithm 1).

    Each task's gradient on the shared weights, of its term ω_k L_k, goes through the others in
    random order; where its product with g_j is negative, it loses its part along g_j. The shared
    weights take the sum. A task without a row in a batch has no gradient and conflicts with none.

    Args:
        seed: of the order; with the number of the step it gives the same order on all replicas and
            after a resume.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(name="pcgrad")
        self.seed = seed
        self.steps = synchronised_variable(tf.zeros([], tf.int64), "steps")

    def projections(self, products: tf.Tensor) -> tf.Tensor:
        """Projected gradients as sums of those of the tasks, (K, K): row i has the factor of each g_j in task i's."""
        tasks = products.shape[0]
        order = tf.random.experimental.stateless_shuffle(
            tf.range(tasks), seed=tf.stack([tf.cast(self.seed, tf.int64), self.steps])
        )
        rows = []
        for i in range(tasks):
            row = tf.one_hot(i, tasks)
            for place in range(tasks):
                j = order[place]
                # A gradient's product with itself is no conflict, but that of the projected one
                # with it might round below 0.
                conflict = tf.where(
                    tf.equal(i, j), 0.0, tf.minimum(tf.tensordot(row, products[:, j], axes=1), 0.0)
                )
                row -= tf.math.divide_no_nan(conflict, products[j, j]) * tf.one_hot(j, tasks)
            rows.append(row)
        return tf.stack(rows)

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """How often the sum of the projected gradients contains each one."""
        del losses, sizes, weights
        factors = tf.reduce_sum(self.projections(products), axis=0)
        self.steps.assign_add(1)
        return factors

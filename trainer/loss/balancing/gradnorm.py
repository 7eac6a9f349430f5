"""GradNorm."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer.loss.balancing.balancing import synchronised_variable
from trainer.loss.balancing.gradient_balancing import GradientBalancing

# The paper's; the weights step by Adam, so that the scale of the gradients does not decide how far.
_LEARNING_RATE = 0.025
# A weight of 0 or less would turn a task off or around.
_SMALLEST_WEIGHT = 1e-3


class GradNorm(GradientBalancing):
    """Weights w_k under which tasks train at similar rates (Chen et al., ICML 2018, Eq 1–2 and Algorithm 1).

    G_k = ‖∇ w_k L_k‖ on the shared weights is drawn to Ḡ · r_k^α, Ḡ the mean of G and r_k the
    inverse training rate: L_k / L_k(0) over its mean. After each step the weights are scaled to Σ
    w_k = K. The paper takes the last shared layer; here the shared weights are the tables and all
    of the sharing architecture, because models differ in which layer is the last.

    G_k is measured without ω_k, which then multiplies the balanced loss. L_k(0) is the loss of the
    first batch with a row of the task; a task without a row in a batch takes no part in that
    batch's means and pulls at no weight.

    Args:
        tasks: K.
        alpha: α: how strongly tasks that lag behind are pulled; 0 makes all gradients equally long.
    """

    def __init__(self, tasks: int, alpha: float) -> None:
        super().__init__(name="gradnorm")
        self.alpha = alpha
        self.weights = synchronised_variable(tf.ones(tasks), "weights")
        self.first_losses = synchronised_variable(tf.zeros(tasks), "first_losses")
        self.optimizer = tf.keras.optimizers.legacy.Adam(_LEARNING_RATE)

    def weigh(self, losses: Sequence[tf.Tensor], presence: tf.Tensor) -> list[tf.Tensor]:
        """w_k L_k."""
        del presence
        return [self.weights[k] * loss for k, loss in enumerate(losses)]

    def factors(
        self, products: tf.Tensor, losses: tf.Tensor, sizes: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        """1 for each task, whose term has its weight; changes the weights for the next step."""
        present = tf.cast(tf.logical_and(sizes > 0.0, weights > 0.0), tf.float32)
        self.first_losses.assign(tf.where(self.first_losses > 0.0, self.first_losses, losses))
        ratios = tf.math.divide_no_nan(losses, self.first_losses)
        rates = tf.math.divide_no_nan(ratios, _mean(ratios, present))
        norms = tf.math.divide_no_nan(tf.sqrt(tf.linalg.diag_part(products)), weights)
        targets = _mean(norms, present) * tf.pow(rates, self.alpha)
        # G_k is w_k times the norm of ∇L_k, and the target counts as a constant: the gradient of Σ
        # |G_k − target|.
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

"""The optimizers of a training: Adagrad for the embedding tables, Adam for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.settings.train_config import TrainerSettings


class TableAdagrad(tf.keras.optimizers.legacy.Adagrad):
    """Adagrad that updates only the rows of a table that a batch reads.

    Each row takes the sum of its gradients. XLA computes the sums, in a tenth of the time of the
    runtime's own operation.

    A row's gradient is its share of a mean over the batch, so it shrinks as the batch grows. Times
    the batch size it is the sum of the gradients of its examples, for which one initial accumulator
    suits all batch sizes, and which a later training with another batch size goes on with.

    Args:
        learning_rate: the learning rate.
        batch_size: B, the number of examples that gradients are the mean of.
        initial_accumulator_value: in squares of one example's gradient.
    """

    def __init__(
        self, learning_rate: float, *, batch_size: int, initial_accumulator_value: float
    ) -> None:
        super().__init__(
            learning_rate, initial_accumulator_value=initial_accumulator_value, epsilon=1e-20
        )
        self.batch_size = batch_size

    def _resource_apply_sparse_duplicate_indices(
        self, grad: tf.Tensor, handle: tf.Variable, indices: tf.Tensor, **kwargs: Any
    ) -> tf.Operation:
        """Apply gradients (N, D) of rows (N,), some of which may be equal, to a table."""
        grad = grad * float(self.batch_size)
        if grad.shape[0] is None:  # XLA would compile anew for each N
            return super()._resource_apply_sparse_duplicate_indices(grad, handle, indices, **kwargs)
        rows, places = tf.unique(indices)
        sums = _sums(grad, places)[: tf.size(rows)]
        return self._resource_apply_sparse(sums, handle, rows, **kwargs)


@tf.function(autograph=False, jit_compile=True)
def _sums(values: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Sum the values of each place: (N, D) and (N,) → (N, D), with zeros behind the last place."""
    return tf.math.unsorted_segment_sum(values, places, values.shape[0])


def table_adagrad(settings: TrainerSettings) -> TableAdagrad:
    """Make the optimizer of the embedding tables."""
    return TableAdagrad(
        settings.embedding_learning_rate,
        batch_size=settings.batch_size,
        initial_accumulator_value=settings.embedding_initial_accumulator,
    )


def make_optimizer(
    settings: TrainerSettings,
    tables: Sequence[tf.Variable],
    dense: Sequence[tf.Variable],
    coefficients: Sequence[tf.Variable],
) -> tf.keras.optimizers.Optimizer:
    """Make the optimizer of a network.

    Args:
        settings: the learning rates.
        tables: the embedding tables. Adagrad updates only the rows that a batch reads.
        dense: the weights of all layers.
        coefficients: the weights that say how much is shared, which have their own rate.
    """
    adam = tf.keras.optimizers.legacy.Adam
    parts = [
        (optimizer, variables)
        for optimizer, variables in (
            (table_adagrad(settings), tables),
            (adam(settings.learning_rate), dense),
            (adam(settings.coefficient_learning_rate), coefficients),
        )
        if variables
    ]
    for optimizer, variables in parts:
        # A graph that made the slots in its first step would be traced twice.
        optimizer._create_all_weights(variables)  # noqa: SLF001 (Keras has no public way)
    # A function returns the variables of an optimizer; the default argument binds each one's own.
    return tfrs.experimental.optimizers.CompositeOptimizer(
        [(optimizer, lambda variables=variables: variables) for optimizer, variables in parts]
    )

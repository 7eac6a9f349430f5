"""What the replicas that share a batch tell each other."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sum_over_replicas(value: Any) -> Any:
    """A tensor, row-sparse gradient or list of them, each summed over all replicas. XLA cannot compile it."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def of_first_replica(strategy: tf.distribute.Strategy, value: tf.Tensor) -> tf.Tensor:
    """The first replica's value, on all of them. Called outside of replicas; waits until all workers have called it."""
    return strategy.experimental_local_results(_of_first(strategy, value))[0]


# A function, because replicas that run one after the other would wait for each other.
@tf.function
def _of_first(strategy: tf.distribute.Strategy, value: tf.Tensor) -> Any:
    def own_part() -> Any:
        first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
        return sum_over_replicas(tf.where(first, value, tf.zeros_like(value)))

    return strategy.run(own_part)

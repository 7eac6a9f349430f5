"""The ways to share each batch out over replicas, and what replicas tell each other."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from trainer.distribute.cluster import Cluster, parse_cluster
from trainer.settings.train_config import TrainerSettings


def strategy_of(
    settings: TrainerSettings, cluster: Cluster | None = None
) -> tf.distribute.Strategy:
    """Make the strategy that the settings choose.

    Args:
        settings: the settings of the trainer.
        cluster: the workers of `multi_worker`. Nothing of TensorFlow may have run in the process
            before. The call waits until all workers have made it.

    Raises:
        trainer.distribute.cluster.ClusterError: `multi_worker` without a cluster.
    """
    if settings.strategy == "multi_worker":
        cluster = cluster or parse_cluster(None)
        jobs = {
            job: addresses for job, addresses in cluster.cluster.model_dump().items() if addresses
        }
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(jobs),
            task_type=cluster.task.type,
            task_id=cluster.task.index,
            rpc_layer="grpc",
        )
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    return _mirrored() if settings.strategy == "mirrored" else tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether this process keeps checkpoints, curves and the model: as chief, or alone."""
    chief: bool = strategy.extended.should_checkpoint
    return chief


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    """Make one strategy for the whole process."""
    # A second one would number its collective operations from the start again. TensorFlow takes
    # operations of one number for the same and refuses other shapes.
    return tf.distribute.MirroredStrategy()


def sum_over_replicas(value: Any) -> Any:
    """Sum a tensor, a row-sparse gradient or a list of them over all replicas.

    XLA cannot compile it.
    """
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def of_first_replica(strategy: tf.distribute.Strategy, value: tf.Tensor) -> tf.Tensor:
    """Return the first replica's value on all replicas.

    Call it outside of replicas. It waits until all workers have called it.
    """
    return strategy.experimental_local_results(_of_first(strategy, value))[0]


# A tf.function, because replicas that run one after the other would wait for each other.
@tf.function(autograph=False)
def _of_first(strategy: tf.distribute.Strategy, value: tf.Tensor) -> Any:
    def own_part() -> Any:
        first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
        return sum_over_replicas(tf.where(first, value, tf.zeros_like(value)))

    return strategy.run(own_part)

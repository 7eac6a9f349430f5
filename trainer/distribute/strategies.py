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
    """The strategy that the settings choose.

    Args:
        settings: of the run.
        cluster: the workers of `multi_worker`. Nothing of TensorFlow may have run in the process
            before; this call waits until all workers have made theirs.

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
    """Whether this process is the one that keeps checkpoints, curves and the model: the only one, or the chief."""
    chief: bool = strategy.extended.should_checkpoint
    return chief


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    """One for the whole process."""
    # A second one would number its collective operations from the start again, and TensorFlow takes
    # those of one number for the same, so that it refuses other shapes.
    return tf.distribute.MirroredStrategy()


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

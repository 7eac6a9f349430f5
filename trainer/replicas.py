"""Sums over the replicas that share a batch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sum_over_replicas(value: Any) -> Any:
    """A tensor, row-sparse gradient or list of them, each summed over all replicas. XLA cannot compile it."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

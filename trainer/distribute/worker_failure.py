"""The error of a worker when another one of its cluster is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

# TensorFlow's errors when another worker does not answer, was started anew, or has given up.
_BROKEN_OFF = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)


class WorkerLostError(RuntimeError):
    """Another worker of the cluster has ended or cannot be reached."""


@contextlib.contextmanager
def translate_worker_failure() -> Iterator[None]:
    """Translate TensorFlow's many errors of a broken cluster into one that says what to do.

    Raises:
        WorkerLostError: another worker was lost within the block.
    """
    try:
        yield
    except _BROKEN_OFF as error:
        raise WorkerLostError(
            "training with the other workers broke off, most likely because one of them has ended. "
            "Start all of them again: they go on from the last checkpoint. TensorFlow says: "
            f"{_reason(error)}"
        ) from error


def _reason(error: tf.errors.OpError) -> str:
    """Return the reason in one line, without the names of operations."""
    _, _, reason = error.message.rpartition("Collective ops is aborted by: ")
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return " ".join(lines[:2])

"""Noise of a training: the same for one seed and step, wherever and however often it is drawn.

Keras draws dropout from generators with a state, and XLA ignores their seeds: two trainings with
one seed differ, and one that was killed goes on with other noise. TensorFlow's stateless generators
take a seed for each draw, and have no way of their own to hand it down to layers.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass
class _Draws:
    """The seed of a step, int64 (2,), and how often layers have drawn from it."""

    seed: tf.Tensor
    count: int = 0


_DRAWS: contextvars.ContextVar[_Draws | None] = contextvars.ContextVar("draws", default=None)


@contextlib.contextmanager
def noise_of(seed: int, step: tf.Tensor) -> Iterator[None]:
    """Let layers that are called in the `with` block draw noise that follows from seed and step.

    Layers draw in the order of their calls, so that a network draws the same noise in each process.

    Args:
        seed: the seed of the training.
        step: the number of the step, a scalar.
    """
    base = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int64)
    step_seed = tf.random.experimental.stateless_fold_in(base, tf.cast(step, tf.int64))
    token = _DRAWS.set(_Draws(step_seed))
    try:
        yield
    finally:
        _DRAWS.reset(token)


def uniform_noise(shape: Any, low: float, high: float, dtype: tf.DType) -> tf.Tensor:
    """Draw uniform noise, the same on all replicas: from the seed of `noise_of`, or at random.

    Args:
        shape: the shape of the noise.
        low: the smallest value.
        high: the bound of the values, which is not drawn.
        dtype: the type of the values.
    """
    seed = _next_seed()
    if seed is None:
        return tf.random.uniform(shape, low, high, dtype=dtype)
    return tf.random.stateless_uniform(shape, seed, low, high, dtype=dtype)


def random_mask(shape: tf.Tensor, rate: float) -> tf.Tensor:
    """Draw booleans, each replica its own: from the seed of `noise_of`, or at random outside of it.

    TensorFlow's stateless generators would lengthen the step of PLE with dropout by half. A mask
    needs no such randomness: the bits of each value's place are mixed with the seed by the
    finalizer of MurmurHash3.

    Args:
        shape: the shape of the mask, int32.
        rate: the share of False.
    """
    seed = _next_seed()
    if seed is None:
        return tf.random.uniform(shape) >= rate
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        seed = tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)
    first, second = tf.unstack(tf.bitcast(tf.cast(seed, tf.int32), tf.uint32))
    x = tf.bitcast(tf.range(tf.reduce_prod(shape)), tf.uint32)
    x = tf.bitwise.bitwise_xor((x + first) * tf.constant(0x9E3779B9, tf.uint32), second)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = _folded(x, shift) * tf.constant(factor, tf.uint32)
    x = _folded(x, 16)
    return tf.reshape(x >= tf.constant(round(rate * 2**32), tf.uint32), shape)


def _folded(x: tf.Tensor, shift: int) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint32)))


def _next_seed() -> tf.Tensor | None:
    """Return the seed of the next draw of the step, (2,); None outside of `noise_of`."""
    draws = _DRAWS.get()
    if draws is None:
        return None
    draws.count += 1
    return tf.random.stateless_uniform(
        [2], draws.seed + draws.count, minval=None, maxval=None, dtype=tf.int32
    )


@tf.keras.utils.register_keras_serializable("fulcrum")
class Dropout(tf.keras.layers.Layer):
    """Dropout whose masks follow from the seed and the step of a training; see `noise_of`.

    Args:
        rate: the share of values that are set to 0 in training. The others are divided by 1 − rate.

    Call arguments:
        x: a tensor.
        training: whether values are dropped.

    Examples:
        >>> import tensorflow as tf
        >>> from trainer.layers.noise import Dropout, noise_of
        >>> def dropped(step):
        ...     with noise_of(seed=42, step=tf.constant(step)):
        ...         return Dropout(0.5)(tf.ones([100]), training=True).numpy()
        >>> bool((dropped(1) == dropped(1)).all()), bool((dropped(1) == dropped(2)).all())
        (True, False)
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or self.rate == 0.0:
            return x
        kept = random_mask(tf.shape(x), self.rate)
        return tf.where(kept, x / (1.0 - self.rate), tf.zeros_like(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}

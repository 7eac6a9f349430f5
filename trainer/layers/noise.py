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
    """The seed of a step, int32 (2,), and how often layers have drawn from it."""

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
    base = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    token = _DRAWS.set(_Draws(tf.random.experimental.stateless_fold_in(base, step)))
    try:
        yield
    finally:
        _DRAWS.reset(token)


def uniform_noise(
    shape: Any, low: float, high: float, dtype: tf.DType, *, by_replica: bool
) -> tf.Tensor:
    """Draw uniform noise: from the seed of `noise_of`, or at random outside of it.

    Args:
        shape: the shape of the noise.
        low: the smallest value.
        high: the bound of the values, which is not drawn.
        dtype: the type of the values.
        by_replica: whether each replica that takes part in a step draws its own noise.
    """
    draws = _DRAWS.get()
    if draws is None:
        return tf.random.uniform(shape, low, high, dtype=dtype)
    draws.count += 1
    seed = tf.random.experimental.stateless_fold_in(draws.seed, draws.count)
    replica = tf.distribute.get_replica_context()
    if by_replica and replica is not None and replica.num_replicas_in_sync > 1:
        seed = tf.random.experimental.stateless_fold_in(seed, replica.replica_id_in_sync_group)
    return tf.random.stateless_uniform(shape, seed, low, high, dtype=dtype)


@tf.keras.utils.register_keras_serializable("fulcrum")
class Dropout(tf.keras.layers.Layer):
    """Dropout whose masks follow from the seed and the step of a training; see `noise_of`.

    Args:
        rate: the share of values that are set to 0 in training. The others are divided by 1 − rate.

    Call arguments:
        x: a tensor.
        training: whether values are dropped.

    Example:
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
        # bfloat16 draws 128 different values only.
        drawn = uniform_noise(tf.shape(x), 0.0, 1.0, tf.float32, by_replica=True)
        kept = tf.cast(drawn >= self.rate, x.dtype)
        return x * kept / (1.0 - self.rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}

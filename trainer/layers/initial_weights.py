"""Weights that layers begin with: those of kernels that hold several independent matrices side by side, and known ones."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf


def side_by_side_glorot(fan_in: int, fan_out: int) -> tf.keras.initializers.Initializer:
    """Glorot's uniform initialiser for a kernel of many (fan_in, fan_out) matrices.

    Keras would take the whole kernel for one matrix and start it too small. One draw fills the
    whole kernel, so no two matrices in it are equal; a Keras initialiser without a seed that is
    called once a matrix makes them identical.
    """
    limit = math.sqrt(6.0 / (fan_in + fan_out))
    return tf.keras.initializers.RandomUniform(-limit, limit)


def constant_weight(
    layer: tf.keras.layers.Layer, name: str, value: npt.NDArray[np.float32]
) -> tf.Variable:
    """A weight of `layer` that has its `value` already and does not learn."""
    return layer.add_weight(
        name=name, shape=value.shape, initializer=tf.constant_initializer(value), trainable=False
    )

"""A shallow tower over what only training knows of an exposure, such as its place in the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.noise import random_mask


@tf.keras.utils.register_keras_serializable("fulcrum")
class ExposureTower(tf.keras.layers.Layer):
    """g_k(e) of z_k = f_k(x) + g_k(e): how the exposure itself moves the logit of each task.

    e are fields such as place and device. In training each value is replaced by the unknown value
    with a probability of its own, from which the model learns a logit without it; afterwards all
    are unknown, so that g_k is one number a task. The tower begins at 0.

    Args:
        tasks: K, the number of tasks.
        dropout_rates: the share of values of each field that training takes for unknown.
        units: the units of the hidden layer. Defaults to 16.

    Call arguments:
        values: the embeddings of each field, (B + 1, D); the last row is that of the unknown value.
        training: whether values are known at all.

    Returns:
        What is added to the logits, (B, K) in training and (1, K) otherwise.

    References:
        Zhao et al., Recommending what video to watch next: a multitask ranking system, RecSys 2019:
        https://doi.org/10.1145/3298689.3346997
    """

    def __init__(
        self, tasks: int, dropout_rates: Sequence[float], units: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tasks, self.dropout_rates, self.units = tasks, tuple(dropout_rates), units
        self.hidden = tf.keras.layers.Dense(units, activation="relu", dtype="float32")
        self.logits = tf.keras.layers.Dense(
            tasks, use_bias=False, kernel_initializer="zeros", dtype="float32"
        )

    def call(self, values: Sequence[tf.Tensor], training: bool | None = None) -> tf.Tensor:
        seen = []
        for value, rate in zip(values, self.dropout_rates, strict=True):
            known, unknown = value[:-1], value[-1:]
            if training:
                kept = random_mask(tf.stack([tf.shape(known)[0], 1]), rate)
                seen.append(tf.where(kept, known, unknown))
            else:
                seen.append(unknown)
        return self.effects(seen)

    def effects(self, values: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return what values add to the logits: (R, D) of each field → (R, K)."""
        return self.logits(self.hidden(tf.concat(list(values), axis=1)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "dropout_rates": self.dropout_rates,
            "units": self.units,
        }

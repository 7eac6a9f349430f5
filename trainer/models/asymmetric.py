"""Asymmetric sharing: some tasks see the bottoms of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import AsymmetricSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class Asymmetric(SharingArchitecture):
    """A bottom a task; task k also sees the bottoms of tasks 1 … k−1 (PLE, Fig 1b).

    Args:
        tasks: K.
        settings: see `AsymmetricSettings`.
        field_widths: not read.
    """

    settings_type = AsymmetricSettings

    def __init__(
        self,
        tasks: int,
        settings: AsymmetricSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.bottoms = Experts(tasks, settings.bottom_units, settings.dropout_rate, name="bottoms")

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations: (B, U), or (B, k·U) for task k where bottoms are concatenated."""
        bottoms = self.bottoms(inputs[0], training=training)
        return [self._combined(bottoms[:, : task + 1]) for task in range(self.tasks)]

    def _combined(self, seen: tf.Tensor) -> tf.Tensor:
        """(B, seen, U) → what a tower reads."""
        if self.settings.combine == "concat":
            return tf.reshape(seen, [-1, seen.shape[1] * seen.shape[2]])
        return (
            tf.reduce_sum(seen, axis=1)
            if self.settings.combine == "sum"
            else tf.reduce_mean(seen, axis=1)
        )

"""Single-task: one network a task, nothing shared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import SingleTaskSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class SingleTask(SharingArchitecture):
    """The baseline of multi-task learning (PLE, Eq 11): embeddings, bottom and tower of its own for each task.

    Args:
        tasks: K.
        settings: see `SingleTaskSettings`.
        field_widths: not read.
    """

    settings_type = SingleTaskSettings

    def __init__(
        self,
        tasks: int,
        settings: SingleTaskSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.embeddings = tasks
        self.bottoms = [
            Experts(1, settings.bottom_units, settings.dropout_rate, name=f"bottom_{task}")
            for task in range(tasks)
        ]

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """K inputs (B, I) → K representations (B, U)."""
        return [
            bottom(x, training=training)[:, 0]
            for bottom, x in zip(self.bottoms, inputs, strict=True)
        ]

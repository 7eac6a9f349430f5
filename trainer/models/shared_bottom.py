"""Shared-bottom: hard parameter sharing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import SharedBottomSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class SharedBottom(SharingArchitecture):
    """One bottom, K towers (Caruana 1997; PLE, Fig 1a).

    Args:
        tasks: K.
        settings: see `SharedBottomSettings`.
        field_widths: not read.
    """

    settings_type = SharedBottomSettings

    def __init__(
        self,
        tasks: int,
        settings: SharedBottomSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.bottom = Experts(1, settings.bottom_units, settings.dropout_rate, name="bottom")

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K times the same representation (B, U)."""
        return [self.bottom(inputs[0], training=training)[:, 0]] * self.tasks

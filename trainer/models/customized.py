"""Customized sharing: a shared bottom beside each task's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import CustomizedSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class Customized(SharingArchitecture):
    """A shared bottom and an own bottom, concatenated into each tower (PLE, Fig 1c).

    Args:
        tasks: K.
        settings: see `CustomizedSettings`.
        field_widths: not read.
    """

    settings_type = CustomizedSettings

    def __init__(
        self,
        tasks: int,
        settings: CustomizedSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.bottoms = Experts(
            tasks + 1, settings.bottom_units, settings.dropout_rate, name="bottoms"
        )

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, 2·U): shared, then own."""
        bottoms = self.bottoms(inputs[0], training=training)
        shared = bottoms[:, self.tasks]
        return [tf.concat([shared, bottoms[:, task]], axis=1) for task in range(self.tasks)]

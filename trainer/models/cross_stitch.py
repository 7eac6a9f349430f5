"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.cross_stitch_unit import CrossStitchUnit
from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.grouped_dense import GroupedDense
from trainer.models.inner_values import Coefficients
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import CrossStitchSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class CrossStitch(SharingArchitecture):
    """A network a task, mixed by a cross-stitch unit after each layer (Misra et al., CVPR 2016).

    Args:
        tasks: K.
        settings: see `CrossStitchSettings`.
        field_widths: not read.
    """

    settings_type = CrossStitchSettings

    def __init__(
        self,
        tasks: int,
        settings: CrossStitchSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        first, *rest = settings.units
        self.first = Experts(tasks, [first], name="layer_1")
        self.rest = [
            GroupedDense(units, name=f"layer_{level + 2}") for level, units in enumerate(rest)
        ]
        self.units = [
            CrossStitchUnit(settings.per_channel, settings.own_share, name=f"unit_{level + 1}")
            for level in range(len(settings.units))
        ]
        self.dropout = tf.keras.layers.Dropout(settings.dropout_rate)

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        x: Any = inputs[0]
        layers: list[Any] = [self.first, *self.rest]
        for layer, unit in zip(layers, self.units, strict=True):
            x = unit(self.dropout(layer(x), training=training))
        return tf.unstack(x, axis=1)

    def mixtures(self, tasks: Sequence[str]) -> list[Coefficients]:
        return [
            Coefficients(f"{unit.name}/alpha", tasks, tasks, unit.alpha.numpy())
            for unit in self.units
        ]

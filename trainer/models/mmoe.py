"""MMoE: Multi-gate Mixture-of-Experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates, mixture
from trainer.models.inner_values import GateWeights, numbered
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import MMoESettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class MMoE(SharingArchitecture):
    """Shared experts, mixed by a gate a task (Ma et al., KDD 2018, Eq 5–8).

    Args:
        tasks: K.
        settings: see `MMoESettings`.
        field_widths: not read.
    """

    settings_type = MMoESettings

    def __init__(
        self, tasks: int, settings: MMoESettings, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.experts = Experts(
            settings.experts, settings.expert_units, settings.dropout_rate, name="experts"
        )
        self.gates = Gates([settings.experts] * tasks, name="gates")

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        experts = self.experts(inputs[0], training=training)
        return [mixture(weights, [experts]) for weights in self.gates(inputs[0])]

    def gate_weights(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, GateWeights]:
        experts = numbered("shared", self.settings.experts)
        gates = zip(tasks, self.gates(inputs[0]), strict=True)
        return {f"level_1/task_{task}": GateWeights(experts, weights) for task, weights in gates}

"""ML-MMoE: multi-level MMoE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates, mixture
from trainer.layers.grouped_dense import GroupedDense
from trainer.models.inner_values import GateWeights, numbered
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import MLMMoESettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class MLMMoE(SharingArchitecture):
    """Levels of experts; each expert above the first level reads a mixture of the level below (PLE, section 5.1.3).

    All gates, those between levels and the tasks', read the raw input.

    Args:
        tasks: K.
        settings: see `MLMMoESettings`.
        field_widths: not read.
    """

    settings_type = MLMMoESettings

    def __init__(
        self, tasks: int, settings: MLMMoESettings, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        experts = settings.experts
        self.first = Experts(
            experts, settings.expert_units, settings.dropout_rate, name="experts_1"
        )
        # One product for all gates of all levels, since they read one input.
        self.gates = Gates([experts] * (experts * (settings.levels - 1) + tasks), name="gates")
        self.rest = [
            [
                GroupedDense(units, name=f"experts_{level + 2}_{depth}")
                for depth, units in enumerate(settings.expert_units)
            ]
            for level in range(settings.levels - 1)
        ]
        self.dropout = tf.keras.layers.Dropout(settings.dropout_rate)

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        experts = self.first(inputs[0], training=training)
        weights = self.gates(inputs[0])
        for layers in self.rest:
            into_level, weights = weights[: self.settings.experts], weights[self.settings.experts :]
            x = tf.einsum("bje,beu->bju", tf.stack(into_level, axis=1), experts)
            for layer in layers:
                x = self.dropout(layer(x), training=training)
            experts = x
        return [mixture(of_task, [experts]) for of_task in weights]

    def gate_weights(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, GateWeights]:
        levels, experts = self.settings.levels, self.settings.experts
        names = [
            f"level_{level}/expert_{expert}_of_level_{level + 1}"
            for level in range(1, levels)
            for expert in range(1, experts + 1)
        ] + [f"level_{levels}/task_{task}" for task in tasks]
        gates = zip(names, self.gates(inputs[0]), strict=True)
        return {name: GateWeights(numbered("shared", experts), weights) for name, weights in gates}

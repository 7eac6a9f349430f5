"""PLE, and CGC, its single level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from trainer.layers.cgc import CGC
from trainer.layers.flat_input import FlatInput
from trainer.models.inner_values import GateWeights, numbered, own
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import CGCSettings, PLESettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class PLE(SharingArchitecture):
    """L levels of CGC: own and shared experts, separated progressively (Tang et al., RecSys 2020, Eq 6–7).

    Args:
        tasks: K.
        settings: see `PLESettings`.
        field_widths: not read.
    """

    settings_type: ClassVar[type[CGCSettings]] = PLESettings

    def __init__(
        self, tasks: int, settings: CGCSettings, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        levels = settings.levels if isinstance(settings, PLESettings) else 1
        self.levels = [
            CGC(
                tasks,
                settings.task_experts,
                settings.shared_experts,
                settings.expert_units,
                first=level == 0,
                last=level == levels - 1,
                dropout_rate=settings.dropout_rate,
                name=f"level_{level + 1}",
            )
            for level in range(levels)
        ]

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → g^{1,L} … g^{K,L}, each (B, U)."""
        representations: Any = inputs[0]
        for level in self.levels:
            representations = level(representations, training=training)
        return representations

    def gate_weights(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, GateWeights]:
        counts = range(1, self.settings.task_experts + 1)
        own_experts = {task: [own(task, number) for number in counts] for task in tasks}
        shared_experts = numbered("shared", self.settings.shared_experts)
        seen = {f"task_{task}": [*own_experts[task], *shared_experts] for task in tasks}
        seen["shared"] = [*(name for task in tasks for name in own_experts[task]), *shared_experts]
        result = {}
        representations: Any = inputs[0]
        for level in self.levels:
            # The last level has no shared gate.
            for (gate, experts), weights in zip(
                seen.items(), level.gate_weights(representations), strict=not level.last
            ):
                result[f"{level.name}/{gate}"] = GateWeights(experts, weights)
            representations = level(representations)
        return result


@tf.keras.utils.register_keras_serializable("fulcrum")
class SingleLevelPLE(PLE):
    """CGC as a model of its own (Tang et al., RecSys 2020, Eq 2–5)."""

    settings_type = CGCSettings

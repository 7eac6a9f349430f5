"""Sluice networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.grouped_dense import GroupedDense
from trainer.layers.sluice_unit import SUBSPACES, SluiceUnit, subspace_overlap
from trainer.models.inner_values import Coefficients, numbered
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.settings.model_config import SluiceSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class Sluice(SharingArchitecture):
    """A network a task: α mixes subspaces between tasks after each layer, β mixes a task's layers (Ruder et al., AAAI 2019).

    Args:
        tasks: K.
        settings: see `SluiceSettings`.
        field_widths: not read.
    """

    settings_type = SluiceSettings

    def __init__(
        self, tasks: int, settings: SluiceSettings, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.first = Experts(tasks, [settings.units], name="layer_1")
        self.rest = [
            GroupedDense(settings.units, name=f"layer_{level + 2}")
            for level in range(settings.layers - 1)
        ]
        self.units = [
            SluiceUnit(settings.initial_mixture, name=f"unit_{level + 1}")
            for level in range(settings.layers)
        ]
        self.dropout = tf.keras.layers.Dropout(settings.dropout_rate)

    def build(self, input_shape: Any) -> None:
        self.beta = self.add_weight(
            name="beta",
            shape=(self.tasks, self.settings.layers),
            initializer=tf.keras.initializers.Constant(1.0 / self.settings.layers),
        )
        super().build(input_shape)

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        x: Any = inputs[0]
        layers: list[Any] = [self.first, *self.rest]
        outputs = []
        for layer, unit in zip(layers, self.units, strict=True):
            x = unit(self.dropout(layer(x), training=training))
            outputs.append(x)
        return tf.unstack(tf.einsum("kl,lbku->bku", self.beta, tf.stack(outputs)), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """λ Σ ‖G1ᵀ G2‖²_F over tasks and layers."""
        first = self.first.kernels[0]
        by_task = tf.transpose(tf.reshape(first, [first.shape[0], self.tasks, -1]), [1, 0, 2])
        overlaps = [
            subspace_overlap(kernel) for kernel in [by_task, *(layer.kernel for layer in self.rest)]
        ]
        return {"orthogonality": self.settings.orthogonality * tf.add_n(overlaps)}

    def mixtures(self, tasks: Sequence[str]) -> list[Coefficients]:
        subspaces = [
            f"{task} {subspace}" for task in tasks for subspace in numbered("subspace", SUBSPACES)
        ]
        layers = numbered("layer", self.settings.layers)
        return [
            *(
                Coefficients(f"{unit.name}/alpha", subspaces, subspaces, unit.alpha.numpy())
                for unit in self.units
            ),
            Coefficients("beta", layers, tasks, self.beta.numpy()),
        ]

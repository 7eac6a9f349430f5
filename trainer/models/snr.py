"""SNR: sub-network routing, with and without matrices on its connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.grouped_dense import GroupedDense
from trainer.layers.snr_connection import SNRConnection
from trainer.models.inner_values import Block, numbered
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.pruning.pruned_sharing import Pruning, pruned_experts
from trainer.pruning.value_bounds import InputFields
from trainer.settings.model_config import SNRAverSettings, SNRTransSettings


class SNR(SharingArchitecture):
    """Levels of sub-networks; hard-concrete gates choose which feed which, and which feed each task (Ma et al., AAAI 2019).

    Args:
        tasks: K.
        settings: see `SNRTransSettings`.
        field_widths: not read.
    """

    transforms: ClassVar[bool]

    def __init__(
        self,
        tasks: int,
        settings: SNRTransSettings,
        field_widths: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        count, units = settings.subnetworks, settings.units
        width = units if self.transforms else None
        self.first = Experts(count, [units], settings.dropout_rate, name="level_1")
        self.connections = [
            SNRConnection(count, width, name=f"connection_{level + 1}")
            for level in range(settings.levels - 1)
        ]
        self.rest = [
            GroupedDense(units, name=f"level_{level + 2}") for level in range(settings.levels - 1)
        ]
        self.to_tasks = SNRConnection(tasks, width, name="to_tasks")

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        u = self.first(inputs[0], training=training)
        for connection, level in zip(self.connections, self.rest, strict=True):
            u = level(connection(u, training=training))
        return tf.unstack(self.to_tasks(u, training=training), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """λ Σ P(z ≠ 0)."""
        gates = [connection.gate for connection in [*self.connections, self.to_tasks]]
        return {"l0": self.settings.l0 * tf.add_n([gate.expected_open() for gate in gates])}

    def pruned(self, inputs: InputFields) -> Pruning:
        folded = [connection.folded() for connection in [*self.connections, self.to_tasks]]
        return pruned_experts(self.first, folded, self.rest, self.tasks, inputs)

    def blocks(self, tasks: Sequence[str]) -> list[Block]:
        subnetworks = numbered("sub-network", self.settings.subnetworks)
        readers = [(connection, subnetworks) for connection in self.connections] + [
            (self.to_tasks, list(tasks))
        ]
        result = []
        for connection, targets in readers:
            values = tf.cast(connection.gate.values(), tf.float32).numpy()
            result += [
                Block(connection.name, source, target, values[i, j : j + 1])
                for i, target in enumerate(targets)
                for j, source in enumerate(subnetworks)
            ]
        return result


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRTrans(SNR):
    """Connections with a matrix and a gate."""

    settings_type = SNRTransSettings
    transforms = True


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRAver(SNR):
    """Connections with a gate only."""

    settings_type = SNRAverSettings
    transforms = False

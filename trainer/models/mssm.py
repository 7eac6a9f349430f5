"""MSSM: Multiple-level Sparse Sharing Model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.layers.cssm import CSSM
from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.fscm import FSCM, INITIAL_EMBEDDING
from trainer.layers.hard_concrete_gate import HardConcreteGate
from trainer.layers.snr_connection import SNRConnection
from trainer.models.inner_values import Block, own
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.pruning.pruned_sharing import Pruning, pruned_experts, pruned_fscm
from trainer.pruning.value_bounds import InputFields
from trainer.settings.model_config import MSSMSettings


@tf.keras.utils.register_keras_serializable("fulcrum")
class MSSM(SharingArchitecture):
    """A sub-network a task and a shared one, that choose fields (FSCM) and share cells (CSSM) (Ding et al., SIGIR 2021).

    Without field sparsity every sub-network reads all fields (MSSM-a). Without cell sparsity the
    connections are those of SNR-Trans, one gate each (MSSM-b). Without both it is SNR-Trans over K
    + 1 sub-networks (MSSM-Basic).

    Args:
        tasks: K.
        settings: see `MSSMSettings`.
        field_widths: D of each field in the order of the flattened input.
    """

    settings_type = MSSMSettings

    def __init__(
        self, tasks: int, settings: MSSMSettings, field_widths: Sequence[int] = (), **kwargs: Any
    ) -> None:
        super().__init__(tasks, settings, field_widths, **kwargs)
        self.initial_embedding = INITIAL_EMBEDDING if settings.field_sparsity else 0.0
        self.subnetworks: Any = (
            FSCM(tasks + 1, settings.units, self.field_widths, name="fscm")
            if settings.field_sparsity
            else Experts(tasks + 1, [settings.units], name="subnetworks")
        )
        self.connection: Any = (
            CSSM(tasks, settings.units, name="cssm")
            if settings.cell_sparsity
            else SNRConnection(tasks, settings.units, name="connection")
        )
        self.dropout = tf.keras.layers.Dropout(settings.dropout_rate)

    def call(
        self, inputs: list[tf.Tensor | FlatInput], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One input (B, I) → K representations (B, U)."""
        u = self.dropout(self.subnetworks(inputs[0]), training=training)
        return tf.unstack(self.connection(u, training=training), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """λ1 Σ w² over the matrices and λ2 Σ P(m ≠ 0)."""
        kernels = [variable for variable in self.trainable_variables if "kernel" in variable.name]
        squares = tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
        opened = tf.add_n([gate.expected_open() for gate in self._gates()])
        return {"l2": self.settings.l2 * squares, "l0": self.settings.l0 * opened}

    def field_masks(self, inputs: list[tf.Tensor], tasks: Sequence[str]) -> dict[str, tf.Tensor]:
        if not self.settings.field_sparsity:
            return {}
        # Outside of a call the weights are float32 even where the layers compute in half precision.
        masks = self.subnetworks.masks(tf.cast(inputs[0], tf.float32))
        return dict(zip(self._subnetworks(tasks), tf.unstack(masks, axis=1), strict=True))

    def blocks(self, tasks: Sequence[str]) -> list[Block]:
        subnetworks = self._subnetworks(tasks)
        gate = self.connection.task_gate if self.settings.cell_sparsity else self.connection.gate
        values = tf.cast(gate.values(), tf.float32).numpy()
        result = []
        for i, task in enumerate(tasks):
            if self.settings.cell_sparsity:
                read = zip((subnetworks[i], subnetworks[-1]), values[i], strict=True)
            else:
                read = zip(subnetworks, values[i, :, np.newaxis], strict=True)
            result += [Block(self.connection.name, source, task, gates) for source, gates in read]
        return result

    def pruned(self, inputs: InputFields) -> Pruning:
        folded = self.connection.folded()
        if self.settings.field_sparsity:
            return pruned_fscm(self.subnetworks, folded, self.tasks, inputs)
        return pruned_experts(self.subnetworks, [folded], [], self.tasks, inputs)

    @staticmethod
    def _subnetworks(tasks: Sequence[str]) -> list[str]:
        return [*(own(task) for task in tasks), "shared"]

    def _gates(self) -> list[HardConcreteGate]:
        return (
            self.connection.gates if isinstance(self.connection, CSSM) else [self.connection.gate]
        )

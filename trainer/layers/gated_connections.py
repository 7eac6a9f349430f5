"""Connections between sub-networks that hard-concrete gates open and close: SNR's and MSSM's."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.layers.experts import side_by_side_glorot
from trainer.layers.gates import HardConcreteGate


@tf.keras.utils.register_keras_serializable("fulcrum")
class SNRConnection(tf.keras.layers.Layer):
    """The connection of sub-network routing, with one gate for each pair of input and output.

    v_i = Σ_j z_ij W_ij u_j (SNR-Trans), or v_i = Σ_j z_ij u_j (SNR-Aver) (Ma et al., Eq 2–5), where
    z are hard-concrete gates.

    Args:
        outputs: the number of outputs v.
        units: V, the width of each v. None for SNR-Aver, which has no matrices and keeps the width
            of u. Defaults to None.
        start: log α of the gates at the start, see `HardConcreteGate`. Defaults to 0.

    Call arguments:
        u: the outputs of J sub-networks, (B, J, U).

    Returns:
        The outputs v, (B, outputs, V).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import SNRConnection
        >>> SNRConnection(outputs=3, units=8)(tf.ones([2, 6, 16])).shape
        TensorShape([2, 3, 8])

    References:
        SNR, Ma et al., AAAI 2019: https://doi.org/10.1609/aaai.v33i01.3301216
    """

    def __init__(
        self, outputs: int, units: int | None = None, start: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if outputs < 1 or (units is not None and units < 1):
            raise ValueError(
                f"`outputs` and `units` must be at least 1. Received: {outputs}, {units}"
            )
        self.outputs, self.units, self.start = outputs, units, start

    def build(self, input_shape: tf.TensorShape) -> None:
        subnetworks, width = int(input_shape[1]), int(input_shape[2])
        self.gate = HardConcreteGate([self.outputs, subnetworks], self.start, name="gate")
        self.gate.build()
        if self.units is not None:
            self.kernel = self.add_weight(
                name="kernel",
                shape=(self.outputs, subnetworks, width, self.units),
                initializer=side_by_side_glorot(width, self.units),
            )
        self.built = True

    def call(self, u: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        z = self.gate.values(training)
        if self.units is None:
            return tf.einsum("ij,bju->biu", z, u)
        # The gates scale the matrices, which are few, rather than the activations of every row.
        return tf.einsum("bju,ijuv->biv", u, z[:, :, tf.newaxis, tf.newaxis] * self.kernel)

    @property
    def gates(self) -> list[HardConcreteGate]:
        """All gates of the connection."""
        return [self.gate]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "outputs": self.outputs,
            "units": self.units,
            "start": self.start,
        }


@tf.keras.utils.register_keras_serializable("fulcrum")
class CSSM(tf.keras.layers.Layer):
    """The cell-level sparse connection of MSSM: a gate opens or closes one output unit of a block.

    v_i = Σ_j (m_ij ⊙ W_ij) u_j with a vector m_ij of hard-concrete gates for each block (MSSM,
    section 3.3). Task i reads its own sub-network and the shared one; blocks between different
    tasks do not exist. The shared row, if there is one, reads all sub-networks.

    Args:
        tasks: K. Inputs and outputs stand in the order of the tasks, the shared one last.
        units: V, the width of each v.
        shared_row: whether there is a v of the shared sub-network, as between levels. Defaults to
            False: the connection to the towers has none.
        cell_gates: True for V gates a block, False for one gate a block. Defaults to True.
        start: log α of the gates at the start, see `HardConcreteGate`. Defaults to 0.

    Call arguments:
        u: the outputs of the K + 1 sub-networks, (B, K+1, U).

    Returns:
        The outputs v, (B, K, V), or (B, K+1, V) with a shared row.

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import CSSM
        >>> CSSM(tasks=2, units=8)(tf.ones([5, 3, 16])).shape
        TensorShape([5, 2, 8])

    References:
        MSSM, Ding et al., SIGIR 2021: https://doi.org/10.1145/3404835.3463022
    """

    def __init__(
        self,
        tasks: int,
        units: int,
        shared_row: bool = False,
        cell_gates: bool = True,
        start: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if tasks < 1 or units < 1:
            raise ValueError(f"`tasks` and `units` must be at least 1. Received: {tasks}, {units}")
        self.tasks, self.units = tasks, units
        self.shared_row, self.cell_gates, self.start = shared_row, cell_gates, start

    def build(self, input_shape: tf.TensorShape) -> None:
        subnetworks, width = int(input_shape[1]), int(input_shape[2])
        if subnetworks != self.tasks + 1:
            raise ValueError(
                f"there must be a sub-network a task and a shared one, {self.tasks + 1}. "
                f"Received: {subnetworks}"
            )
        gates = self.units if self.cell_gates else 1
        # Two blocks a task, own and shared. Only blocks that exist have weights.
        self.task_kernel = self.add_weight(
            name="task_kernel",
            shape=(self.tasks, 2, width, self.units),
            initializer=side_by_side_glorot(width, self.units),
        )
        self.task_gate = HardConcreteGate([self.tasks, 2, gates], self.start, name="task_gate")
        self.task_gate.build()
        if self.shared_row:
            self.shared_kernel = self.add_weight(
                name="shared_kernel",
                shape=(subnetworks, width, self.units),
                # An initializer of its own: a second call of one would draw the same values again.
                initializer=side_by_side_glorot(width, self.units),
            )
            self.shared_gate = HardConcreteGate(
                [subnetworks, gates], self.start, name="shared_gate"
            )
            self.shared_gate.build()
        self.built = True

    def call(self, u: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        own, shared = u[:, : self.tasks], u[:, self.tasks]
        kernel = self.task_gate.values(training)[:, :, tf.newaxis, :] * self.task_kernel
        v = tf.einsum("bku,kuv->bkv", own, kernel[:, 0]) + tf.einsum(
            "bu,kuv->bkv", shared, kernel[:, 1]
        )
        if not self.shared_row:
            return v
        shared_kernel = self.shared_gate.values(training)[:, tf.newaxis, :] * self.shared_kernel
        return tf.concat([v, tf.einsum("bju,juv->bv", u, shared_kernel)[:, tf.newaxis]], axis=1)

    @property
    def gates(self) -> list[HardConcreteGate]:
        """All gates of the connection."""
        return [self.task_gate, self.shared_gate] if self.shared_row else [self.task_gate]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "units": self.units,
            "shared_row": self.shared_row,
            "cell_gates": self.cell_gates,
            "start": self.start,
        }

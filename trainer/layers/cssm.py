"""CSSM: cell-level sparse sharing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.layers.hard_concrete_gate import HardConcreteGate
from trainer.layers.initial_weights import side_by_side_glorot


@tf.keras.utils.register_keras_serializable("fulcrum")
class CSSM(tf.keras.layers.Layer):
    """v_i = Σ_j (m_ij ⊙ W_ij) u_j with a vector of hard-concrete gates a block (MSSM, Ding et al., SIGIR 2021, section 3.3).

    A gate opens or closes one output unit of its block. Task i reads its own sub-network and the
    shared one, and blocks between different tasks do not exist; the shared row reads all.

    Args:
        tasks: K; inputs and outputs stand in the order of the tasks, the shared one last.
        units: V, width of each v.
        shared_row: whether there is a v of the shared sub-network, as between levels. Defaults to
            False: the connection to the towers has none.
        cell_gates: V gates a block if True, one gate a block if False. Defaults to True.
    """

    def __init__(
        self,
        tasks: int,
        units: int,
        shared_row: bool = False,
        cell_gates: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if tasks < 1 or units < 1:
            raise ValueError(f"`tasks` and `units` must be at least 1. Received: {tasks}, {units}")
        self.tasks, self.units, self.shared_row, self.cell_gates = (
            tasks,
            units,
            shared_row,
            cell_gates,
        )

    def build(self, input_shape: tf.TensorShape) -> None:
        subnetworks, width = int(input_shape[1]), int(input_shape[2])
        if subnetworks != self.tasks + 1:
            raise ValueError(
                f"there must be a sub-network a task and a shared one, {self.tasks + 1}. Received: {subnetworks}"
            )
        initializer = side_by_side_glorot(width, self.units)
        gates = self.units if self.cell_gates else 1
        # Two blocks a task, own and shared; only blocks that exist have weights.
        self.task_kernel = self.add_weight(
            name="task_kernel", shape=(self.tasks, 2, width, self.units), initializer=initializer
        )
        self.task_gate = HardConcreteGate([self.tasks, 2, gates], name="task_gate")
        self.task_gate.build()
        if self.shared_row:
            self.shared_kernel = self.add_weight(
                name="shared_kernel",
                shape=(subnetworks, width, self.units),
                initializer=initializer,
            )
            self.shared_gate = HardConcreteGate([subnetworks, gates], name="shared_gate")
            self.shared_gate.build()
        self.built = True

    def call(self, u: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """(B, K+1, U) → (B, K, V), or (B, K+1, V) with a shared row."""
        own, shared = u[:, : self.tasks], u[:, self.tasks]
        kernel = self.task_gate.values(training)[:, :, tf.newaxis, :] * self.task_kernel
        v = tf.einsum("bku,kuv->bkv", own, kernel[:, 0]) + tf.einsum(
            "bu,kuv->bkv", shared, kernel[:, 1]
        )
        if not self.shared_row:
            return v
        shared_kernel = self.shared_gate.values(training)[:, tf.newaxis, :] * self.shared_kernel
        return tf.concat([v, tf.einsum("bju,juv->bv", u, shared_kernel)[:, tf.newaxis]], axis=1)

    def folded(self) -> dict[tuple[int, int], npt.NDArray[np.float32]]:
        """m_ij ⊙ W_ij, (U, V), by source j and target i, as they are outside of training."""
        kernel = (
            tf.cast(self.task_gate.values(), tf.float32)[:, :, tf.newaxis, :] * self.task_kernel
        ).numpy()
        result = {
            (source, i): kernel[i, place]
            for i in range(self.tasks)
            for place, source in enumerate((i, self.tasks))
        }
        if self.shared_row:
            shared = (
                tf.cast(self.shared_gate.values(), tf.float32)[:, tf.newaxis, :]
                * self.shared_kernel
            ).numpy()
            result |= {(source, self.tasks): block for source, block in enumerate(shared)}
        return result

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
        }

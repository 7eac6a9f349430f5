"""Customized Gate Control: one level of PLE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates, mixture


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGC(tf.keras.layers.Layer):
    """Own and shared experts, mixed by a gate a task (PLE, Eq 2–7).

    The gate of task k weighs its own m_k experts and the m_s shared ones; the shared gate weighs
    **all** experts of the level.

    Args:
        tasks: K.
        task_experts: m_k, own experts of each task.
        shared_experts: m_s.
        units: units of each expert's layers; the last is U.
        first: whether all modules read one input, the field embeddings, as on the first level.
        last: whether this is the last level, which has no shared gate.
        dropout_rate: of the experts. Defaults to 0.
    """

    def __init__(
        self,
        tasks: int,
        task_experts: int,
        shared_experts: int,
        units: Sequence[int],
        *,
        first: bool,
        last: bool,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(tasks, task_experts, shared_experts) < 1:
            raise ValueError(
                "`tasks`, `task_experts` and `shared_experts` must be at least 1. "
                f"Received: {tasks}, {task_experts}, {shared_experts}"
            )
        self.tasks, self.task_experts, self.shared_experts = tasks, task_experts, shared_experts
        self.units, self.first, self.last, self.dropout_rate = (
            tuple(units),
            first,
            last,
            dropout_rate,
        )
        self._counts = [task_experts] * tasks + [shared_experts]
        own_sizes = [task_experts + shared_experts] * tasks
        shared_size = [] if last else [tasks * task_experts + shared_experts]
        if first:
            # One input for all modules: one product for all experts of the level and one for all
            # its gates.
            self.experts = [Experts(sum(self._counts), units, dropout_rate, name="experts")]
            self.gates = [Gates(own_sizes + shared_size, name="gates")]
        else:
            self.experts = [
                Experts(count, units, dropout_rate, name=f"experts_{module}")
                for module, count in enumerate(self._counts)
            ]
            self.gates = [
                Gates([size], name=f"gate_{module}")
                for module, size in enumerate(own_sizes + shared_size)
            ]

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """One level.

        Args:
            inputs: on the first level x, (B, I); else g^{1,j-1} … g^{K,j-1} and g^{s,j-1}, each (B,
                U).

        Returns:
            g^{1,j} … g^{K,j} and, unless it is the last level, g^{s,j}; each (B, U).
        """
        if self.first:
            blocks = tf.split(self.experts[0](inputs, training=training), self._counts, axis=1)
        else:
            blocks = [
                module(x, training=training) for module, x in zip(self.experts, inputs, strict=True)
            ]
        *own, shared = blocks
        seen = [[block, shared] for block in own] + [blocks]
        # The last level has no shared gate.
        return [
            mixture(weights, experts)
            for weights, experts in zip(self.gate_weights(inputs), seen, strict=not self.last)
        ]

    def gate_weights(self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]) -> list[tf.Tensor]:
        """w: of each task over its own and the shared experts and, unless it is the last level, of the shared gate over all."""
        if self.first:
            return self.gates[0](inputs)
        return [gate(x)[0] for gate, x in zip(self.gates, inputs[: len(self.gates)], strict=True)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "task_experts": self.task_experts,
            "shared_experts": self.shared_experts,
            "units": self.units,
            "first": self.first,
            "last": self.last,
            "dropout_rate": self.dropout_rate,
        }

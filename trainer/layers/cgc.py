"""Customized Gate Control: one level of PLE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates, mixture


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGCLevel(tf.keras.layers.Layer):
    """One level of PLE: own and shared experts, mixed by a gate for each task (PLE, Eq 2–7).

    g^k(x) = w^k(x) S^k(x), where S^k stacks the m_k experts of task k and the m_s shared ones. The
    shared gate, which all levels but the last have, weighs **all** experts of the level.

    Args:
        tasks: K.
        task_experts: m_k, the number of own experts of each task.
        shared_experts: m_s, the number of shared experts.
        units: the units of each expert's layers; the last is U.
        first: whether all modules read one input, as on the first level. Defaults to True.
        last: whether this is the last level, which has no shared gate. Defaults to True.
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: on the first level x, (B, I); on later levels g^{1,j-1} … g^{K,j-1} and g^{s,j-1},
            each (B, U).

    Returns:
        g^{1,j} … g^{K,j} and, unless this is the last level, g^{s,j}; each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import CGCLevel
        >>> click, like = CGCLevel(tasks=2, task_experts=2, shared_experts=1, units=[16])(
        ...     tf.ones([5, 10])
        ... )
        >>> click.shape
        TensorShape([5, 16])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        task_experts: int,
        shared_experts: int,
        units: Sequence[int],
        *,
        first: bool = True,
        last: bool = True,
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
        self.units, self.dropout_rate = tuple(units), dropout_rate
        self.first, self.last = first, last
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
        """Return the weights w of each gate.

        Args:
            inputs: the inputs of `call`.

        Returns:
            The weights of each task's gate over its own and the shared experts, (B, m_k + m_s), and
            of the shared gate over all experts, unless this is the last level.
        """
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

"""Customized Gate Control: one level of PLE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.expert_modules import ExpertModules
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import mixture


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGCLevel(ExpertModules):
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
        if min(tasks, task_experts, shared_experts) < 1:
            raise ValueError(
                "`tasks`, `task_experts` and `shared_experts` must be at least 1. "
                f"Received: {tasks}, {task_experts}, {shared_experts}"
            )
        own_sizes = [task_experts + shared_experts] * tasks
        # The last level has no shared gate.
        shared_size = [] if last else [tasks * task_experts + shared_experts]
        super().__init__(
            [task_experts] * tasks + [shared_experts],
            own_sizes + shared_size,
            units,
            first=first,
            dropout_rate=dropout_rate,
            **kwargs,
        )
        self.tasks, self.task_experts, self.shared_experts = tasks, task_experts, shared_experts
        self.last = last

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        blocks = self.blocks(inputs, training)
        *own, shared = blocks
        seen = [[block, shared] for block in own] + [blocks]
        # The last level has no shared gate.
        return [
            mixture(weights, experts)
            for weights, experts in zip(self.gate_weights(inputs), seen, strict=not self.last)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "task_experts": self.task_experts,
            "shared_experts": self.shared_experts,
            "last": self.last,
        }

"""AdaTT: adaptive task-to-task fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.adatt import AdaTTLevel
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class AdaTT(SharingArchitecture):
    """Adaptive Task-to-Task Fusion: each task mixes the experts of all tasks, and adds its own.

    On each level x_k = Σ_e g_ke E_e + Σ_i v_ki E_ki with g_k = softmax(W_k x_k) over the experts of
    all tasks, and learnt weights v of the task's own ones (Li et al., section 4). Unlike in PLE,
    tasks read each other's experts directly, at every level. Without shared experts this is the
    paper's AdaTT-sp.

    Args:
        tasks: K, the number of tasks.
        levels: L, the number of levels. Defaults to 2.
        task_experts: m, the number of experts of each task and level. Defaults to 2.
        shared_experts: m_s, the number of shared experts of each level. Defaults to 0, AdaTT-sp.
        expert_units: the layers of each expert; the last has U units. Defaults to (64,).
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import AdaTT
        >>> click, like = AdaTT(tasks=2, levels=2, expert_units=[16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        Li et al., AdaTT: adaptive task-to-task fusion network for multitask learning in
        recommendations, KDD 2023: https://arxiv.org/abs/2304.04959
    """

    def __init__(
        self,
        tasks: int,
        *,
        levels: int = 2,
        task_experts: int = 2,
        shared_experts: int = 0,
        expert_units: Sequence[int] = (64,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if levels < 1:
            raise ValueError(f"`levels` must be at least 1. Received: {levels}")
        self.task_experts, self.shared_experts = task_experts, shared_experts
        self.expert_units = tuple(expert_units)
        self.levels = [
            AdaTTLevel(
                tasks,
                task_experts,
                expert_units,
                shared_experts=shared_experts,
                first=level == 0,
                last=level == levels - 1,
                dropout_rate=dropout_rate,
                name=f"level_{level + 1}",
            )
            for level in range(levels)
        ]

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        representations: Any = as_flat_input(inputs)
        for level in self.levels:
            representations = level(representations, training=training)
        return representations

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": len(self.levels),
            "task_experts": self.task_experts,
            "shared_experts": self.shared_experts,
            "expert_units": self.expert_units,
        }

"""PLE, and CGC, its single level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.cgc import CGCLevel
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class PLE(SharingArchitecture):
    """Progressive Layered Extraction: levels of own and shared experts.

    On each level the gate of task k mixes the task's own and the shared experts, and a shared gate
    mixes all of them for the next level (Tang et al., Eq 6–7). The representation of task k is
    g^{k,L}(x).

    Args:
        tasks: K, the number of tasks.
        levels: L, the number of levels. Defaults to 2.
        task_experts: m_k, the number of own experts of each task and level. Defaults to 2.
        shared_experts: m_s, the number of shared experts of each level. Defaults to 2.
        expert_units: the layers of each expert; the paper's have one. The last has U units.
            Defaults to (64,).
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        A model of two tasks in the functional API of Keras:

        >>> import tensorflow as tf
        >>> from fulcrum.layers import Tower
        >>> from fulcrum.models import PLE
        >>> x = tf.keras.Input([10])
        >>> click, like = PLE(tasks=2, levels=2, expert_units=[16])(x)
        >>> model = tf.keras.Model(x, {"click": Tower([8])(click), "like": Tower([8])(like)})
        >>> {task: logits.shape.as_list() for task, logits in model(tf.ones([5, 10])).items()}
        {'click': [5], 'like': [5]}

    References:
        Tang et al., Progressive layered extraction: a novel multi-task learning model for
        personalized recommendations, RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        levels: int = 2,
        task_experts: int = 2,
        shared_experts: int = 2,
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
            CGCLevel(
                tasks,
                task_experts,
                shared_experts,
                expert_units,
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


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGC(PLE):
    """Customized Gate Control: PLE with one level (Tang et al., Eq 2–5).

    Args:
        tasks: K, the number of tasks.
        task_experts: m_k, the number of own experts of each task. Defaults to 2.
        shared_experts: m_s, the number of shared experts. Defaults to 2.
        expert_units: the layers of each expert; the paper's have one. The last has U units.
            Defaults to (64,).
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import CGC
        >>> user, item = tf.ones([5, 8]), tf.ones([5, 4])
        >>> click, like = CGC(tasks=2, task_experts=1, shared_experts=3)([user, item])
        >>> click.shape
        TensorShape([5, 64])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        task_experts: int = 2,
        shared_experts: int = 2,
        expert_units: Sequence[int] = (64,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            tasks,
            levels=1,
            task_experts=task_experts,
            shared_experts=shared_experts,
            expert_units=expert_units,
            dropout_rate=dropout_rate,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["levels"]
        return config

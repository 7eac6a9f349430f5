"""PLE, and CGC, its single level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.cgc import CGCLevel
from trainer.layers.experts import Activation, Norm
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class PLE(SharingArchitecture):
    """Progressive Layered Extraction: levels of own and shared experts.

    On each level the gate of task k mixes the task's own and the shared experts, and a shared gate
    mixes all of them for the next level (Tang et al., Eq 6–7). The representation of task k is
    g^{k,L}(x).

    The devices of HoME are options. With `task_groups`, all levels but the last extract one
    representation for each group of tasks and a shared one. The last level has experts of each
    task and of each group, which read the group's representation, and shared ones, which read the
    shared representation; the gate of a task weighs its own, its group's and the shared experts.

    Args:
        tasks: K, the number of tasks.
        levels: L, the number of levels. Defaults to 2.
        task_experts: m_k, the number of own experts of each task and level. Defaults to 2.
        shared_experts: m_s, the number of shared experts of each level. Defaults to 2.
        expert_units: the layers of each expert; the paper's have one. The last has U units.
            Defaults to (64,).
        expert_activation: the activation of experts: `relu`; or `swish`, HoME's, which has no
            zeros. Defaults to `relu`.
        expert_norm: `none`; or `rms`, HoME's normalisation of each expert's layers before the
            activation, of each row by itself. Defaults to `none`.
        feature_gate_rank: r of HoME's feature gates: each expert of the first level reads x ⊙
            2σ(x B_e A_e), where B_e A_e has rank r; 0 for none. Defaults to 0.
        self_gate: whether each module adds its own experts once more, weighed by a gate of their
            own (HoME). Defaults to False.
        task_groups: HoME's hierarchy: groups of tasks by position, such as [[0, 1], [2, 3]]. None
            for none. Defaults to None.
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

        HoME's devices, with two groups of tasks:

        >>> home = PLE(tasks=4, expert_activation="swish", expert_norm="rms", feature_gate_rank=4,
        ...            self_gate=True, task_groups=[[0, 1], [2, 3]])
        >>> len(home(tf.ones([5, 10])))
        4

    References:
        - Tang et al., Progressive layered extraction: a novel multi-task learning model for
          personalized recommendations, RecSys 2020: https://doi.org/10.1145/3383313.3412236
        - HoME, Wang et al., HoME: hierarchy of multi-gate experts for multi-task learning at
          Kuaishou, KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def __init__(
        self,
        tasks: int,
        *,
        levels: int = 2,
        task_experts: int = 2,
        shared_experts: int = 2,
        expert_units: Sequence[int] = (64,),
        expert_activation: Activation = "relu",
        expert_norm: Norm = "none",
        feature_gate_rank: int = 0,
        self_gate: bool = False,
        task_groups: Sequence[Sequence[int]] | None = None,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if levels < 1:
            raise ValueError(f"`levels` must be at least 1. Received: {levels}")
        self.task_experts, self.shared_experts = task_experts, shared_experts
        self.expert_units = tuple(expert_units)
        self.expert_activation, self.expert_norm = expert_activation, expert_norm
        self.feature_gate_rank, self.self_gate = feature_gate_rank, self_gate
        self.task_groups = (
            None if task_groups is None else tuple(tuple(group) for group in task_groups)
        )
        groups = None if self.task_groups is None else group_of_each(self.task_groups, tasks)
        self.levels = [
            CGCLevel(
                # Levels below the last work for groups of tasks, if there are any.
                tasks if level == levels - 1 or groups is None else max(groups) + 1,
                task_experts,
                shared_experts,
                expert_units,
                first=level == 0,
                last=level == levels - 1,
                dropout_rate=dropout_rate,
                activation=expert_activation,
                norm=expert_norm,
                feature_gate_rank=feature_gate_rank if level == 0 else 0,
                self_gate=self_gate,
                groups=groups if level == levels - 1 else None,
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
            "expert_activation": self.expert_activation,
            "expert_norm": self.expert_norm,
            "feature_gate_rank": self.feature_gate_rank,
            "self_gate": self.self_gate,
            "task_groups": self.task_groups,
        }


def group_of_each(groups: Sequence[Sequence[int]], tasks: int) -> list[int]:
    """Return the group of each task, in the order of the tasks.

    Args:
        groups: the positions of the tasks of each group.
        tasks: K, the number of tasks.

    Raises:
        ValueError: a group is empty, or a task is in none or in several.
    """
    if not all(groups) or sorted(task for group in groups for task in group) != list(range(tasks)):
        raise ValueError(
            f"`task_groups` must have each of the {tasks} tasks, counted from 0, in one group. "
            f"Received: {[list(group) for group in groups]}"
        )
    numbers = {task: number for number, group in enumerate(groups) for task in group}
    return [numbers[task] for task in range(tasks)]


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGC(PLE):
    """Customized Gate Control: PLE with one level (Tang et al., Eq 2–5).

    The devices of HoME are options, as in `PLE`. With `task_groups`, there are experts of each
    group, too, which the gates of its tasks weigh.

    Args:
        tasks: K, the number of tasks.
        task_experts: m_k, the number of own experts of each task. Defaults to 2.
        shared_experts: m_s, the number of shared experts. Defaults to 2.
        expert_units: the layers of each expert; the paper's have one. The last has U units.
            Defaults to (64,).
        expert_activation: the activation of experts: `relu`; or `swish`, HoME's, which has no
            zeros. Defaults to `relu`.
        expert_norm: `none`; or `rms`, HoME's normalisation of each expert's layers before the
            activation, of each row by itself. Defaults to `none`.
        feature_gate_rank: r of HoME's feature gates: each expert of the first level reads x ⊙
            2σ(x B_e A_e), where B_e A_e has rank r; 0 for none. Defaults to 0.
        self_gate: whether each module adds its own experts once more, weighed by a gate of their
            own (HoME). Defaults to False.
        task_groups: HoME's hierarchy: groups of tasks by position, such as [[0, 1], [2, 3]]. None
            for none. Defaults to None.
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
        - PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
        - HoME, Wang et al., KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def __init__(
        self,
        tasks: int,
        *,
        task_experts: int = 2,
        shared_experts: int = 2,
        expert_units: Sequence[int] = (64,),
        expert_activation: Activation = "relu",
        expert_norm: Norm = "none",
        feature_gate_rank: int = 0,
        self_gate: bool = False,
        task_groups: Sequence[Sequence[int]] | None = None,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            tasks,
            levels=1,
            task_experts=task_experts,
            shared_experts=shared_experts,
            expert_units=expert_units,
            expert_activation=expert_activation,
            expert_norm=expert_norm,
            feature_gate_rank=feature_gate_rank,
            self_gate=self_gate,
            task_groups=task_groups,
            dropout_rate=dropout_rate,
            **kwargs,
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["levels"]
        return config

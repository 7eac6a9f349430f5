"""Customized Gate Control: one level of PLE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.expert_modules import ExpertModules
from trainer.layers.experts import Activation, Norm
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import mixture


@tf.keras.utils.register_keras_serializable("fulcrum")
class CGCLevel(ExpertModules):
    """One level of PLE: own and shared experts, mixed by a gate for each task (PLE, Eq 2–7).

    g^k(x) = w^k(x) S^k(x), where S^k stacks the m_k experts of task k and the m_s shared ones. The
    shared gate, which all levels but the last have, weighs **all** experts of the level.

    The options are HoME's. A self gate adds Σ s^k(x) E^k, the own experts with weights of their
    own. With groups of tasks, the level has experts of each group, too, which the gates of the
    group's tasks weigh.

    Args:
        tasks: K.
        task_experts: m_k, the number of own experts of each task, and of each group.
        shared_experts: m_s, the number of shared experts.
        units: the units of each expert's layers; the last is U.
        first: whether all modules read one input, as on the first level. Defaults to True.
        last: whether this is the last level, which has no shared gate. Defaults to True.
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.
        activation: the activation of the experts: `relu` or `swish`. Defaults to `relu`.
        norm: the normalisation of the experts: `none` or `rms`. Defaults to `none`.
        feature_gate_rank: r of a `FeatureGate` before the experts; 0 for none. Only for the first
            level. Defaults to 0.
        self_gate: whether each gate has one beside it over the own experts, see `SelfGates`.
            Defaults to False.
        groups: the group of each task, numbers from 0, on the last level; on later levels than the
            first, tasks read the representation of their group. None for no groups. Defaults to
            None.

    Call arguments:
        inputs: on the first level x, (B, I); on later levels g^{1,j-1} … g^{K,j-1} and g^{s,j-1},
            each (B, U); with groups, one for each group and the shared one.

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
        activation: Activation = "relu",
        norm: Norm = "none",
        feature_gate_rank: int = 0,
        self_gate: bool = False,
        groups: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        if min(tasks, task_experts, shared_experts) < 1:
            raise ValueError(
                "`tasks`, `task_experts` and `shared_experts` must be at least 1. "
                f"Received: {tasks}, {task_experts}, {shared_experts}"
            )
        if feature_gate_rank and not first:
            raise ValueError("`feature_gate_rank` is for the first level, whose experts read x")
        self.groups = None if groups is None else tuple(groups)
        in_groups = max(self.groups) + 1 if self.groups else 0
        if self.groups is not None and (
            not last or len(self.groups) != tasks or set(self.groups) != set(range(in_groups))
        ):
            raise ValueError(
                f"`groups` must hold the group of each of the {tasks} tasks, numbers from 0 "
                f"without gaps, and only the last level has it. Received: {list(self.groups)}"
            )
        self.tasks, self.task_experts, self.shared_experts = tasks, task_experts, shared_experts
        self.last = last
        shared = tasks + in_groups
        counts = [task_experts] * shared + [shared_experts]
        # The modules whose experts each gate weighs; those of its own module stand first.
        seen: list[tuple[int, ...]]
        if self.groups is None:
            seen, sources = [(task, shared) for task in range(tasks)], None
        else:
            seen = [(task, tasks + group, shared) for task, group in enumerate(self.groups)]
            sources = [*self.groups, *range(in_groups + 1)]
        # The last level has no shared gate.
        super().__init__(
            counts,
            seen if last else [*seen, tuple(range(shared + 1))],
            units,
            first=first,
            dropout_rate=dropout_rate,
            activation=activation,
            norm=norm,
            feature_gate_rank=feature_gate_rank,
            self_gate=self_gate,
            sources=sources,
            **kwargs,
        )

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        blocks = self.blocks(inputs, training)
        weights = self.gate_weights(inputs)
        for module, own in enumerate(self.self_weights(inputs)):
            # They are added to the weights, which are few, rather than to the outputs of every row.
            counts = [self.counts[seen] for seen in self.seen[module]]
            before = sum(counts[: self.seen[module].index(module)])
            after = sum(counts) - before - own.shape[1]
            weights[module] += tf.pad(own, [[0, 0], [before, after]])
        return [
            mixture(of_gate, [blocks[module] for module in modules])
            for of_gate, modules in zip(weights, self.seen, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "task_experts": self.task_experts,
            "shared_experts": self.shared_experts,
            "last": self.last,
            "activation": self.activation,
            "norm": self.norm,
            "feature_gate_rank": self.feature_gate_rank,
            "self_gate": self.self_gate,
            "groups": self.groups,
        }

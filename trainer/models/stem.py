"""STEM-Net: embeddings of each task's own beside shared ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.gates import mixture
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class STEM(SharingArchitecture):
    """Shared and task-specific embeddings, which the task alone trains.

    Experts E_k of task k read its embeddings x_k, and shared experts read the shared x_s. The gate
    of a task weighs the experts of all tasks and the shared ones, g_k = softmax(MLP_k(x_k + x_s)),
    and h_k = Σ g_k E(x), where the outputs of other tasks' experts pass no gradient: a task learns
    from them, and does not change them (Su et al., section 4: all forward, task-specific backward).

    A task's embeddings may be narrower than the shared ones and stand for some fields only. Its
    experts then read the other fields from x_s, and x_k counts in x_k + x_s as if zeros filled it
    up.

    Args:
        tasks: K, the number of tasks.
        field_widths: D of each field in x_s. None if `task_widths` is. Defaults to None.
        task_widths: the width of each field in x_k; 0 for a field of which tasks have no embedding
            of their own. None if x_k is as wide as x_s. Defaults to None.
        task_experts: m_k, the number of experts of each task. Defaults to 2.
        shared_experts: m_s, the number of shared experts. Defaults to 2.
        expert_units: the layers of each expert; the last has U units. Defaults to (64,).
        gate_units: the hidden layers of each gate. Defaults to (64,).
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: a list of x_s and x_1 … x_K, (B, I) and (B, I_t); or one input for all of them.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import STEM
        >>> shared, of_click, of_like = tf.ones([5, 10]), tf.ones([5, 3]), tf.ones([5, 3])
        >>> model = STEM(tasks=2, field_widths=[8, 2], task_widths=[3, 0], expert_units=[16])
        >>> click, like = model([shared, of_click, of_like])
        >>> click.shape
        TensorShape([5, 16])

    References:
        Su et al., STEM: unleashing the power of embeddings for multi-task recommendation, AAAI
        2024: https://arxiv.org/abs/2308.13537
    """

    has_task_tables = True

    def __init__(
        self,
        tasks: int,
        *,
        field_widths: Sequence[int] | None = None,
        task_widths: Sequence[int] | None = None,
        task_experts: int = 2,
        shared_experts: int = 2,
        expert_units: Sequence[int] = (64,),
        gate_units: Sequence[int] = (64,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if task_widths is not None and (
            field_widths is None
            or len(field_widths) != len(task_widths)
            or any(not 0 <= own <= D for own, D in zip(task_widths, field_widths, strict=True))
        ):
            raise ValueError(
                "`task_widths` must hold a width from 0 to that in `field_widths` for each field. "
                f"Received: {list(task_widths)} for {field_widths and list(field_widths)}"
            )
        self.embeddings = tasks + 1
        self.field_widths = None if field_widths is None else tuple(field_widths)
        self.task_widths = None if task_widths is None else tuple(task_widths)
        self.task_experts, self.gate_units = task_experts, tuple(gate_units)
        self.shared = Experts(shared_experts, expert_units, dropout_rate, name="shared_experts")
        self.own = [
            Experts(task_experts, expert_units, dropout_rate, name=f"experts_{task}")
            for task in range(tasks)
        ]
        # Gates have no dropout.
        self.gates = [
            (Experts(1, gate_units, name=f"gate_{task}"), self._head(task)) for task in range(tasks)
        ]

    def _head(self, task: int) -> tf.keras.layers.Dense:
        weighed = self.tasks * self.task_experts + self.shared.experts
        return tf.keras.layers.Dense(weighed, activation="softmax", name=f"gate_head_{task}")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        *outputs, of_shared = self.expert_outputs(inputs, training)
        seen = [
            [
                *(
                    output if task == other else tf.stop_gradient(output)
                    for other, output in enumerate(outputs)
                ),
                of_shared,
            ]
            for task in range(self.tasks)
        ]
        return [
            mixture(weights, experts)
            for weights, experts in zip(self.gate_weights(inputs), seen, strict=True)
        ]

    def expert_outputs(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Return the outputs of each task's experts, (B, m_k, U), then of the shared ones."""
        shared, *own = self._inputs(inputs)
        outputs = [
            experts(self._read_by_experts(shared, x), training=training)
            for experts, x in zip(self.own, own, strict=True)
        ]
        return [*outputs, self.shared(shared, training=training)]

    def gate_weights(self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the weights of each task's gate over the tasks' experts, then the shared ones.

        Args:
            inputs: the inputs of `call`.

        Returns:
            The weights of each gate, (B, K · m_k + m_s).
        """
        shared, *own = self._inputs(inputs)
        return [
            head(hidden(self._read_by_gate(shared, x))[:, 0])
            for (hidden, head), x in zip(self.gates, own, strict=True)
        ]

    def _inputs(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]
    ) -> list[tf.Tensor | FlatInput]:
        """Return x_s and x_1 … x_K."""
        if isinstance(inputs, list) and len(inputs) == self.tasks + 1:
            return inputs
        if self.task_widths is not None:
            raise ValueError(
                "a list of x_s and an input for each task is needed where `task_widths` are given"
            )
        if isinstance(inputs, list):
            raise ValueError(
                f"a list must hold x_s and an input for each of the {self.tasks} tasks. "
                f"Received: {len(inputs)}"
            )
        return [as_flat_input(inputs)] * (self.tasks + 1)

    def _read_by_experts(
        self, shared: tf.Tensor | FlatInput, own: tf.Tensor | FlatInput
    ) -> tf.Tensor | FlatInput:
        """Take each field from the task's embeddings, or else from the shared ones."""
        return self._by_field(shared, own, lambda _, other: other)

    def _read_by_gate(
        self, shared: tf.Tensor | FlatInput, own: tf.Tensor | FlatInput
    ) -> tf.Tensor | FlatInput:
        """Add the task's embeddings, filled up with zeros, to the shared ones."""
        return self._by_field(shared, own, _sum_filled_up)

    def _by_field(
        self, shared: tf.Tensor | FlatInput, own: tf.Tensor | FlatInput, combine: Any
    ) -> tf.Tensor | FlatInput:
        """Combine the embeddings of each field that a task has of its own with the shared ones."""
        if self.task_widths is None or self.field_widths is None:
            if isinstance(shared, FlatInput):
                return FlatInput(*(combine(*pair) for pair in zip(shared, own, strict=True)))
            return combine(shared, own)
        if not isinstance(shared, FlatInput):
            return _fields_combined(shared, own, self.field_widths, self.task_widths, combine)
        # The sides are cut between two fields.
        ends = list(itertools.accumulate(self.field_widths, initial=0))
        cut = ends.index(int(shared.request.shape[-1]))
        return FlatInput(
            *(
                _fields_combined(one, other, self.field_widths[of], self.task_widths[of], combine)
                for one, other, of in zip(
                    shared, own, (slice(None, cut), slice(cut, None)), strict=True
                )
            )
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "field_widths": self.field_widths,
            "task_widths": self.task_widths,
            "task_experts": self.task_experts,
            "shared_experts": self.shared.experts,
            "expert_units": self.shared.units,
            "gate_units": self.gate_units,
        }


def _sum_filled_up(shared: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    missing = int(shared.shape[-1]) - int(own.shape[-1])
    return shared + (tf.pad(own, [[0, 0], [0, missing]]) if missing else own)


def _fields_combined(
    shared: tf.Tensor,
    own: tf.Tensor,
    field_widths: Sequence[int],
    task_widths: Sequence[int],
    combine: Any,
) -> tf.Tensor:
    """Combine fields (R, Σ D) and (R, Σ d) where d is above 0, and keep the others."""
    sizes: list[tuple[int, int]] = []
    pairs = zip(field_widths, task_widths, strict=True)
    for has_own, group in itertools.groupby(pairs, key=lambda pair: pair[1] > 0):
        fields = list(group)
        sizes += fields if has_own else [(sum(width for width, _ in fields), 0)]
    if not any(size for _, size in sizes):
        return shared
    # The gradient of a split is one concatenation; that of a slice would be as wide as the input.
    parts = tf.split(shared, [width for width, _ in sizes], axis=1)
    own_parts = iter(tf.split(own, [size for _, size in sizes if size], axis=1))
    return tf.concat(
        [
            combine(part, next(own_parts)) if size else part
            for part, (_, size) in zip(parts, sizes, strict=True)
        ],
        axis=1,
    )

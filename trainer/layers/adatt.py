"""Adaptive task-to-task fusion: one level of AdaTT."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.expert_modules import ExpertModules
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import mixture


@tf.keras.utils.register_keras_serializable("fulcrum")
class AdaTTLevel(ExpertModules):
    """One level of AdaTT: every module mixes all experts of the level, and adds its own again.

    x_k^l = Σ_e g_ke E_e + Σ_i v_ki E_ki with g_k = softmax(W_k x_k^{l-1}), where E are all experts
    of the level and E_ki those of module k, which read x_k^{l-1}. The native weights v are learnt
    and do not depend on the input; a module of one expert has v = 1. The softmax is the sharing of
    other tasks' experts, v the residual that keeps a task's own.

    The paper's code draws v around 0. Here each v starts at 1/m: a module adds the mean of its own
    experts, so that levels of ReLU experts neither grow nor shrink what they read.

    Args:
        tasks: K.
        task_experts: m, the number of experts of each task.
        shared_experts: m_s, the number of experts of a shared module, whose gate weighs all experts
            and which the last level has not. 0 for no shared module (AdaTT-sp). Defaults to 0.
        units: the units of each expert's layers; the last is U.
        first: whether all modules read one input, as on the first level. Defaults to True.
        last: whether this is the last level, whose shared module has no output. Defaults to True.
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: on the first level x, (B, I); on later levels x_1 … x_K and, if there is a shared
            module, x_s, each (B, U).

    Returns:
        x_1 … x_K and, if there is a shared module and this is not the last level, x_s; each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.layers import AdaTTLevel
        >>> click, like = AdaTTLevel(tasks=2, task_experts=2, units=[16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        AdaTT, Li et al., KDD 2023: https://arxiv.org/abs/2304.04959
    """

    def __init__(
        self,
        tasks: int,
        task_experts: int,
        units: Sequence[int],
        *,
        shared_experts: int = 0,
        first: bool = True,
        last: bool = True,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if min(tasks, task_experts) < 1 or shared_experts < 0:
            raise ValueError(
                "`tasks` and `task_experts` must be at least 1, and `shared_experts` at least 0. "
                f"Received: {tasks}, {task_experts}, {shared_experts}"
            )
        counts = [task_experts] * tasks + [shared_experts] * (shared_experts > 0)
        gated = tasks if last else len(counts)
        super().__init__(
            counts,
            [range(len(counts))] * gated,
            units,
            first=first,
            dropout_rate=dropout_rate,
            **kwargs,
        )
        self.tasks, self.task_experts, self.shared_experts = tasks, task_experts, shared_experts
        self.last = last

    def build(self, input_shape: Any) -> None:
        # A module of one expert adds it as it is.
        self.native = {
            str(module): self.add_weight(
                name=f"native_{module}",
                shape=(count,),
                initializer=tf.keras.initializers.Constant(1.0 / count),
            )
            for module, count in zip(range(len(self.seen)), self.counts, strict=False)
            if count > 1
        }
        super().build(input_shape)

    def native_weights(self, module: int) -> tf.Tensor:
        """Return v of a module, (m,)."""
        count = self.counts[module]
        return self.native[str(module)] if count > 1 else tf.ones([count], self.compute_dtype)

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        blocks = self.blocks(inputs, training)
        begins = [0, *itertools.accumulate(self.counts)]
        outputs = []
        for module, weights in enumerate(self.gate_weights(inputs)):
            around = [begins[module], begins[-1] - begins[module + 1]]
            native = tf.pad(self.native_weights(module), [around])
            # v is added to the weights, which are few, rather than to the outputs of every row.
            outputs.append(mixture(weights + tf.cast(native, weights.dtype), blocks))
        return outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tasks": self.tasks,
            "task_experts": self.task_experts,
            "shared_experts": self.shared_experts,
            "last": self.last,
        }

"""DSelect-k: shared experts, of which each task learns to read a few."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.layers.dselect_k import DSelectKGate
from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class DSelectK(SharingArchitecture):
    """A mixture of experts whose static gates choose at most k experts for each task.

    y_k = Σ_e q_ke f_e(x) with the gates q of `DSelectKGate` and f_e(x) = ReLU(W_e x + b_e).
    `penalties()` makes the gates choose: add it to the loss.

    Args:
        tasks: K, the number of tasks.
        experts: E, the number of experts, all shared. Defaults to 8.
        units: U, the units of each expert. Defaults to 64.
        selected: k, the most experts that a task reads. Defaults to 2.
        smoothness: γ, the width of the smooth step. Defaults to 1.
        entropy: λ, the weight of the entropy of the selectors. Defaults to 0.05.
        entropy_steps: the steps in which the weight of the entropy rises from 0 to λ. Defaults to
            1000.
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import DSelectK
        >>> model = DSelectK(tasks=2, experts=6, units=16)
        >>> click, like = model(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])
        >>> list(model.penalties())
        ['entropy', 'unused_codes']

    References:
        Hazimeh et al., DSelect-k: differentiable selection in the mixture of experts with
        applications to multi-task learning, NeurIPS 2021: https://arxiv.org/abs/2106.03760
    """

    def __init__(
        self,
        tasks: int,
        *,
        experts: int = 8,
        units: int = 64,
        selected: int = 2,
        smoothness: float = 1.0,
        entropy: float = 0.05,
        entropy_steps: int = 1000,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        self.entropy, self.entropy_steps = entropy, entropy_steps
        self.experts = Experts(experts, [units], dropout_rate, name="experts")
        self.gate = DSelectKGate(tasks, selected, smoothness, name="selection")

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        experts = self.experts(as_flat_input(inputs), training=training)
        return tf.unstack(self.gate(experts), axis=1)

    def penalties(self) -> dict[str, tf.Tensor]:
        """Return λ Σ H(r), and Σ (1 / Σ r − 1) if the number of experts is no power of 2."""
        number = self.experts.experts
        penalties = {"entropy": self.entropy * self.gate.entropy()}
        if number & (number - 1):
            penalties["unused_codes"] = self.gate.unused_codes()
        return penalties

    def penalties_at(self, step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the penalties at a step: λ rises to its value in `entropy_steps`."""
        penalties = self.penalties()
        share = tf.minimum(tf.cast(step, tf.float32) / self.entropy_steps, 1.0)
        return {**penalties, "entropy": share * penalties["entropy"]}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "experts": self.experts.experts,
            "units": self.experts.units[0],
            "selected": self.gate.selected,
            "smoothness": self.gate.width,
            "entropy": self.entropy,
            "entropy_steps": self.entropy_steps,
        }

"""MMoE, and its multi-level form, ML-MMoE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Activation, Experts, GroupedDense, Norm
from trainer.layers.feature_gate import FeatureGate
from trainer.layers.flat_input import FlatInput, as_flat_input
from trainer.layers.gates import Gates, mixture
from trainer.layers.noise import Dropout
from trainer.models.sharing_architecture import SharingArchitecture


@tf.keras.utils.register_keras_serializable("fulcrum")
class MMoE(SharingArchitecture):
    """Multi-gate Mixture-of-Experts: shared experts, mixed by a gate for each task.

    y_k = Σ_e g^k(x)_e f_e(x) with g^k(x) = softmax(W_k x) (Ma et al., Eq 5–8). HoME's form of the
    experts is an option.

    Args:
        tasks: K, the number of tasks.
        experts: E, the number of experts, all shared. Defaults to 8.
        expert_units: the layers of each expert; the last has U units. Defaults to (64,).
        expert_activation: the activation of experts: `relu`; or `swish`, HoME's, which has no
            zeros. Defaults to `relu`.
        expert_norm: `none`; or `rms`, HoME's normalisation of each expert's layers before the
            activation, of each row by itself. Defaults to `none`.
        feature_gate_rank: r of HoME's feature gates: each expert of the first level reads x ⊙
            2σ(x B_e A_e), where B_e A_e has rank r; 0 for none. Defaults to 0.
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import MMoE
        >>> x = tf.keras.Input([10])
        >>> click, like = MMoE(tasks=2, experts=4, expert_units=[32, 16])(x)
        >>> model = tf.keras.Model(x, [click, like])
        >>> [y.shape.as_list() for y in model(tf.ones([5, 10]))]
        [[5, 16], [5, 16]]

    References:
        - Ma et al., Modeling task relationships in multi-task learning with multi-gate
          mixture-of-experts, KDD 2018: https://doi.org/10.1145/3219819.3220007
        - HoME, Wang et al., KDD 2025: https://arxiv.org/abs/2408.05430
    """

    def __init__(
        self,
        tasks: int,
        *,
        experts: int = 8,
        expert_units: Sequence[int] = (64,),
        expert_activation: Activation = "relu",
        expert_norm: Norm = "none",
        feature_gate_rank: int = 0,
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        self.feature_gate_rank = feature_gate_rank
        self.experts = Experts(
            experts,
            expert_units,
            dropout_rate,
            activation=expert_activation,
            norm=expert_norm,
            name="experts",
        )
        self.gates = Gates([experts] * tasks, name="gates")
        self.feature_gates = (
            FeatureGate(experts, feature_gate_rank, name="feature_gates")
            if feature_gate_rank
            else None
        )

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        x = as_flat_input(inputs)
        experts = self.expert_outputs(x, training)
        return [mixture(weights, [experts]) for weights in self.gates(x)]

    def expert_outputs(self, x: tf.Tensor | FlatInput, training: bool | None = None) -> tf.Tensor:
        """Return the outputs of all experts, (B, E, U)."""
        read = x if self.feature_gates is None else self.feature_gates(x)
        return self.experts(read, training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "experts": self.experts.experts,
            "expert_units": self.experts.units,
            "expert_activation": self.experts.activation,
            "expert_norm": self.experts.norm,
            "feature_gate_rank": self.feature_gate_rank,
        }


@tf.keras.utils.register_keras_serializable("fulcrum")
class MLMMoE(SharingArchitecture):
    """Multi-level MMoE: experts above the first level read mixtures of the level below.

    All gates, those between levels and those of the tasks, read the raw input (PLE, section 5.1.3).

    Args:
        tasks: K, the number of tasks.
        levels: L, the number of levels, at least 2. Defaults to 2.
        experts: E, the number of experts of each level, all shared. Defaults to 8.
        expert_units: the layers of each expert; the last has U units. Defaults to (64,).
        dropout_rate: the share of units dropped in the experts in training. Defaults to 0.

    Call arguments:
        inputs: the flattened field embeddings, (B, I), or a list of field embeddings, (B, D) each.

    Returns:
        K representations, each (B, U).

    Examples:
        >>> import tensorflow as tf
        >>> from fulcrum.models import MLMMoE
        >>> click, like = MLMMoE(tasks=2, levels=2, experts=4, expert_units=[16])(tf.ones([5, 10]))
        >>> click.shape
        TensorShape([5, 16])

    References:
        PLE, Tang et al., RecSys 2020: https://doi.org/10.1145/3383313.3412236
    """

    def __init__(
        self,
        tasks: int,
        *,
        levels: int = 2,
        experts: int = 8,
        expert_units: Sequence[int] = (64,),
        dropout_rate: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(tasks, dropout_rate=dropout_rate, **kwargs)
        if levels < 2:
            raise ValueError(f"`levels` must be at least 2. Received: {levels}")
        self.first = Experts(experts, expert_units, dropout_rate, name="experts_1")
        # One product for all gates of all levels, since they read one input.
        self.gates = Gates([experts] * (experts * (levels - 1) + tasks), name="gates")
        self.rest = [
            [
                GroupedDense(units, name=f"experts_{level + 2}_{depth}")
                for depth, units in enumerate(expert_units)
            ]
            for level in range(levels - 1)
        ]
        self.dropout = Dropout(dropout_rate)

    def call(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        x = as_flat_input(inputs)
        experts = self.first(x, training=training)
        *into_levels, of_tasks = self._weights_by_level(x)
        for weights, layers in zip(into_levels, self.rest, strict=True):
            experts = self._next_level(weights, experts, layers, training)
        return [mixture(weights, [experts]) for weights in of_tasks]

    def expert_outputs(self, x: tf.Tensor | FlatInput) -> list[tf.Tensor]:
        """Return the outputs of the experts of each level, (B, E, U)."""
        levels = [self.first(x)]
        for weights, layers in zip(self._weights_by_level(x), self.rest, strict=False):
            levels.append(self._next_level(weights, levels[-1], layers, training=False))
        return levels

    def _weights_by_level(self, x: tf.Tensor | FlatInput) -> list[list[tf.Tensor]]:
        """Return the weights of the gates into each level, and of the tasks."""
        weights, experts = self.gates(x), self.first.experts
        into_levels = [
            weights[level * experts : (level + 1) * experts] for level in range(len(self.rest))
        ]
        return [*into_levels, weights[-self.tasks :]]

    def _next_level(
        self,
        weights: list[tf.Tensor],
        experts: tf.Tensor,
        layers: list[GroupedDense],
        training: bool | None,
    ) -> tf.Tensor:
        h = tf.einsum("bje,beu->bju", tf.stack(weights, axis=1), experts)
        for layer in layers:
            h = self.dropout(layer(h), training=training)
        return h

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": len(self.rest) + 1,
            "experts": self.first.experts,
            "expert_units": self.first.units,
        }

"""Modules of experts with a gate each: what the levels of PLE and of AdaTT have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Activation, Experts, Norm
from trainer.layers.feature_gate import FeatureGate
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates, SelfGates


class ExpertModules(tf.keras.layers.Layer):
    """Modules of experts, such as one for each task and a shared one, and their gates.

    A level derives from it and says which experts each gate weighs.

    Args:
        counts: the number of experts of each module.
        seen: for each of the first modules, which have a gate, the modules whose experts it weighs.
        units: the units of each expert's layers; the last is U.
        first: whether all modules read one input, as on the first level.
        dropout_rate: the share of units dropped in the experts in training.
        activation: the activation of experts, see `Experts`.
        norm: the normalisation of experts, see `Experts`.
        feature_gate_rank: r of the feature gates of experts that read one input, see `FeatureGate`;
            0 for no gates.
        self_gate: whether modules that have a gate have one over their own experts, too, see
            `SelfGates`.
        sources: the position of each module's input, except on the first level. By default the
            module's own position.
    """

    def __init__(
        self,
        counts: Sequence[int],
        seen: Sequence[Sequence[int]],
        units: Sequence[int],
        *,
        first: bool,
        dropout_rate: float,
        activation: Activation = "relu",
        norm: Norm = "none",
        feature_gate_rank: int = 0,
        self_gate: bool = False,
        sources: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.first, self.dropout_rate = tuple(units), first, dropout_rate
        self.activation, self.norm = activation, norm
        self.feature_gate_rank, self.self_gate = feature_gate_rank, self_gate
        self.counts, self.seen = tuple(counts), tuple(map(tuple, seen))
        gate_sizes = [sum(counts[module] for module in modules) for modules in seen]
        self._sources = tuple(range(len(counts)) if sources is None else sources)
        gated = len(seen)
        form: dict[str, Any] = {"activation": activation, "norm": norm}
        self.feature_gates, self.self_gates = [], []
        if first:
            # One input for all modules: one product for all experts of the level and one for all
            # its gates.
            self.experts = [Experts(sum(counts), units, dropout_rate, **form, name="experts")]
            self.gates = [Gates(gate_sizes, name="gates")]
            if feature_gate_rank:
                self.feature_gates = [
                    FeatureGate(sum(counts), feature_gate_rank, name="feature_gates")
                ]
            if self_gate:
                self.self_gates = [SelfGates(counts[:gated], name="self_gates")]
        else:
            self.experts = [
                Experts(count, units, dropout_rate, **form, name=f"experts_{module}")
                for module, count in enumerate(counts)
            ]
            self.gates = [
                Gates([size], name=f"gate_{module}") for module, size in enumerate(gate_sizes)
            ]
            if self_gate:
                self.self_gates = [
                    SelfGates([count], name=f"self_gate_{module}")
                    for module, count in enumerate(counts[:gated])
                ]

    def blocks(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Return the outputs of each module's experts, (B, m, U)."""
        if self.first:
            for gate in self.feature_gates:
                inputs = gate(inputs)
            return tf.split(self.experts[0](inputs, training=training), self.counts, axis=1)
        return [
            module(inputs[source], training=training)
            for module, source in zip(self.experts, self._sources, strict=True)
        ]

    def gate_weights(self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the softmax weights of each gate.

        Args:
            inputs: the inputs of `call`.

        Returns:
            The weights of each gate over the experts that it reads, (B, size), whose rows sum to 1.
        """
        return self._weights(self.gates, inputs)

    def self_weights(self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the weights of each module's own experts, (B, m), or none without self gates."""
        return self._weights(self.self_gates, inputs) if self.self_gates else []

    def _weights(
        self, gates: Sequence[Gates], inputs: tf.Tensor | FlatInput | list[tf.Tensor]
    ) -> list[tf.Tensor]:
        if self.first:
            return gates[0](inputs)
        return [gate(inputs[source])[0] for gate, source in zip(gates, self._sources, strict=False)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "first": self.first,
            "dropout_rate": self.dropout_rate,
        }

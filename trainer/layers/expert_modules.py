"""Modules of experts with a gate each: what the levels of PLE and of AdaTT have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.layers.experts import Experts
from trainer.layers.flat_input import FlatInput
from trainer.layers.gates import Gates


class ExpertModules(tf.keras.layers.Layer):
    """Modules of experts, one for each task and perhaps a shared one, and their gates.

    A level derives from it and says which experts each gate weighs.

    Args:
        counts: the number of experts of each module.
        gate_sizes: the number of experts that each gate weighs, for the first modules.
        units: the units of each expert's layers; the last is U.
        first: whether all modules read one input, as on the first level.
        dropout_rate: the share of units dropped in the experts in training.
    """

    def __init__(
        self,
        counts: Sequence[int],
        gate_sizes: Sequence[int],
        units: Sequence[int],
        *,
        first: bool,
        dropout_rate: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.first, self.dropout_rate = tuple(units), first, dropout_rate
        self._counts = tuple(counts)
        if first:
            # One input for all modules: one product for all experts of the level and one for all
            # its gates.
            self.experts = [Experts(sum(counts), units, dropout_rate, name="experts")]
            self.gates = [Gates(gate_sizes, name="gates")]
        else:
            self.experts = [
                Experts(count, units, dropout_rate, name=f"experts_{module}")
                for module, count in enumerate(counts)
            ]
            self.gates = [
                Gates([size], name=f"gate_{module}") for module, size in enumerate(gate_sizes)
            ]

    def blocks(
        self, inputs: tf.Tensor | FlatInput | list[tf.Tensor], training: bool | None = None
    ) -> list[tf.Tensor]:
        """Return the outputs of each module's experts, (B, m, U)."""
        if self.first:
            return tf.split(self.experts[0](inputs, training=training), self._counts, axis=1)
        return [
            module(x, training=training) for module, x in zip(self.experts, inputs, strict=True)
        ]

    def gate_weights(self, inputs: tf.Tensor | FlatInput | list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the softmax weights of each gate.

        Args:
            inputs: the inputs of `call`.

        Returns:
            The weights of each gate over the experts that it reads, (B, size), whose rows sum to 1.
        """
        if self.first:
            return self.gates[0](inputs)
        return [gate(x)[0] for gate, x in zip(self.gates, inputs[: len(self.gates)], strict=True)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "first": self.first,
            "dropout_rate": self.dropout_rate,
        }

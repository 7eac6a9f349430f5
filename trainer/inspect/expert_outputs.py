"""What the experts of a model read and give out.

HoME's feature gates scale what an expert reads. Its outputs may be 0, or of another size than those
of others.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.inspect.expert_names import expert_modules, numbered, stem_experts
from trainer.layers.feature_gate import FeatureGate
from trainer.layers.flat_input import as_flat_input
from trainer.models.adatt import AdaTT
from trainer.models.mmoe import MLMMoE, MMoE
from trainer.models.ple import PLE
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.models.stem import STEM


class ExpertOutputs(NamedTuple):
    """The outputs of the experts of one level.

    Attributes:
        experts: names of the E experts.
        outputs: (B, E, U).
    """

    experts: Sequence[str]
    outputs: tf.Tensor

    @property
    def zeros(self) -> tf.Tensor:
        """The share of units that are exactly 0, (B, E)."""
        return tf.reduce_mean(tf.cast(tf.equal(self.outputs, 0), tf.float32), axis=2)

    @property
    def sizes(self) -> tf.Tensor:
        """The mean absolute value of units, (B, E)."""
        return tf.reduce_mean(tf.abs(tf.cast(self.outputs, tf.float32)), axis=2)


@functools.singledispatch
def expert_outputs(
    model: SharingArchitecture, inputs: Any, tasks: Sequence[str]
) -> dict[str, ExpertOutputs]:
    """Compute the outputs of all experts that gates weigh.

    Args:
        model: a built model.
        inputs: the inputs of the model's `call`.
        tasks: names of the tasks.

    Returns:
        Outputs by the level's name; none if the model has no such experts.
    """
    del model, inputs, tasks
    return {}


@expert_outputs.register
def _(model: MMoE, inputs: Any, tasks: Sequence[str]) -> dict[str, ExpertOutputs]:
    del tasks
    outputs = model.expert_outputs(as_flat_input(inputs))
    return {"level_1": ExpertOutputs(numbered("shared", model.experts.experts), outputs)}


@expert_outputs.register
def _(model: MLMMoE, inputs: Any, tasks: Sequence[str]) -> dict[str, ExpertOutputs]:
    del tasks
    experts = numbered("shared", model.first.experts)
    levels = model.expert_outputs(as_flat_input(inputs))
    return {
        f"level_{number}": ExpertOutputs(experts, outputs)
        for number, outputs in enumerate(levels, 1)
    }


@expert_outputs.register
def _(model: STEM, inputs: Any, tasks: Sequence[str]) -> dict[str, ExpertOutputs]:
    outputs = tf.concat(model.expert_outputs(inputs), axis=1)
    return {"level_1": ExpertOutputs(stem_experts(model, tasks), outputs)}


@expert_outputs.register(PLE)
@expert_outputs.register(AdaTT)
def _(model: PLE | AdaTT, inputs: Any, tasks: Sequence[str]) -> dict[str, ExpertOutputs]:
    result = {}
    representations: Any = as_flat_input(inputs)
    for level in model.levels:
        modules = expert_modules(model, level, tasks)
        names = [name for experts in modules.values() for name in experts]
        outputs = tf.concat(level.blocks(representations), axis=1)
        result[level.name] = ExpertOutputs(names, outputs)
        representations = level(representations)
    return result


def feature_gates(
    model: SharingArchitecture, inputs: Any, tasks: Sequence[str], field_widths: Sequence[int]
) -> dict[str, tf.Tensor]:
    """Compute the mean gate of each field before each expert that has feature gates.

    Args:
        model: a built model.
        inputs: the inputs of the model's `call`.
        tasks: names of the tasks.
        field_widths: D of each field, in the order of the flattened input.

    Returns:
        Means over a field's columns, (B, F), by the expert's name; none without feature gates.
    """
    layer: FeatureGate | None = None
    if isinstance(model, MMoE):
        layer, names = model.feature_gates, numbered("shared", model.experts.experts)
    elif isinstance(model, PLE):
        (first, *_) = model.levels
        layer = first.feature_gates[0] if first.feature_gates else None
        modules = expert_modules(model, first, tasks)
        names = [name for experts in modules.values() for name in experts]
    if layer is None:
        return {}
    # Outside of a call the weights are float32 even if the layers compute in half precision.
    gates = layer.gates(tf.cast(as_flat_input(inputs), tf.float32))
    by_field = [tf.reduce_mean(part, axis=2) for part in tf.split(gates, field_widths, axis=2)]
    means = tf.stack(by_field, axis=2)
    return dict(zip(names, tf.unstack(means, axis=1), strict=True))

"""The inside of a model: gates, field masks, connections and mixtures, all named.

The functions dispatch on the model's class. A model without an entry has nothing to show.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from trainer.inspect.expert_names import expert_modules, numbered, stem_experts
from trainer.layers.flat_input import as_flat_input
from trainer.layers.mixing_units import SUBSPACES
from trainer.models.adatt import AdaTT
from trainer.models.cross_stitch import CrossStitch
from trainer.models.dselect_k import DSelectK
from trainer.models.mmoe import MLMMoE, MMoE
from trainer.models.mssm import MSSM
from trainer.models.ple import PLE
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.models.sluice import Sluice
from trainer.models.snr import SNR
from trainer.models.stem import STEM
from trainer.network.network import AssembledNetwork


class GateWeights(NamedTuple):
    """The weights of one softmax gate.

    Attributes:
        experts: names of the E experts that the gate weighs.
        weights: (B, E), rows of which sum to 1.
    """

    experts: Sequence[str]
    weights: tf.Tensor


class Block(NamedTuple):
    """A part of a connection that gates open and close: hard-concrete ones, or DSelect-k's.

    Attributes:
        connection: name of the layer.
        source: the sub-network whose output the block reads.
        target: the sub-network or task that the block feeds.
        gates: ẑ, (cells,): one gate a cell, or a single one for the whole block; 0 is closed.
    """

    connection: str
    source: str
    target: str
    gates: tf.Tensor


class Coefficients(NamedTuple):
    """A learnt linear mixture.

    Attributes:
        name: the unit, and the letter of the paper.
        sources: names of the N parts that are mixed.
        targets: names of the M mixtures.
        values: (M, N), or (M, N, units) if each unit has a mixture of its own.
    """

    name: str
    sources: Sequence[str]
    targets: Sequence[str]
    values: tf.Tensor


@functools.singledispatch
def gate_weights(
    model: SharingArchitecture, inputs: Any, tasks: Sequence[str]
) -> dict[str, GateWeights]:
    """Compute the weights of each softmax gate.

    Args:
        model: a built model.
        inputs: the inputs of the model's `call`.
        tasks: names of the tasks.

    Returns:
        Weights by the gate's name, which tells its level and the task or expert that it serves.
    """
    del model, inputs, tasks
    return {}


@gate_weights.register
def _(model: MMoE, inputs: Any, tasks: Sequence[str]) -> dict[str, GateWeights]:
    experts = numbered("shared", model.experts.experts)
    gates = zip(tasks, model.gates(as_flat_input(inputs)), strict=True)
    return {f"level_1/task_{task}": GateWeights(experts, weights) for task, weights in gates}


@gate_weights.register
def _(model: MLMMoE, inputs: Any, tasks: Sequence[str]) -> dict[str, GateWeights]:
    levels, experts = len(model.rest) + 1, model.first.experts
    names = [
        f"level_{level}/expert_{expert}_of_level_{level + 1}"
        for level in range(1, levels)
        for expert in range(1, experts + 1)
    ] + [f"level_{levels}/task_{task}" for task in tasks]
    gates = zip(names, model.gates(as_flat_input(inputs)), strict=True)
    return {name: GateWeights(numbered("shared", experts), weights) for name, weights in gates}


@gate_weights.register(PLE)
@gate_weights.register(AdaTT)
def _(model: PLE | AdaTT, inputs: Any, tasks: Sequence[str]) -> dict[str, GateWeights]:
    result = {}
    representations: Any = as_flat_input(inputs)
    for level in model.levels:
        experts = expert_modules(model, level, tasks)
        modules = list(experts)
        gates = zip(modules, level.seen, level.gate_weights(representations), strict=False)
        for module, seen, weights in gates:
            names = [name for other in seen for name in experts[modules[other]]]
            result[f"{level.name}/{module}"] = GateWeights(names, weights)
        for module, weights in zip(modules, level.self_weights(representations), strict=False):
            result[f"{level.name}_self/{module}"] = GateWeights(experts[module], weights)
        representations = level(representations)
    return result


@gate_weights.register
def _(model: STEM, inputs: Any, tasks: Sequence[str]) -> dict[str, GateWeights]:
    experts = stem_experts(model, tasks)
    gates = zip(tasks, model.gate_weights(inputs), strict=True)
    return {f"level_1/task_{task}": GateWeights(experts, weights) for task, weights in gates}


@functools.singledispatch
def field_masks(
    model: SharingArchitecture, inputs: Any, tasks: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Compute the masks of each sub-network that chooses its fields.

    Args:
        model: a built model.
        inputs: the inputs of the model's `call`.
        tasks: names of the tasks.

    Returns:
        Masks (B, F) by the sub-network's name; fields in the order of the flattened input.
    """
    del model, inputs, tasks
    return {}


@field_masks.register
def _(model: MSSM, inputs: Any, tasks: Sequence[str]) -> dict[str, tf.Tensor]:
    if not model.field_sparsity:
        return {}
    # Outside of a call the weights are float32 even if the layers compute in half precision.
    masks = model.subnetworks.masks(tf.cast(as_flat_input(inputs), tf.float32))
    return dict(zip(_mssm_subnetworks(tasks), tf.unstack(masks, axis=1), strict=True))


@functools.singledispatch
def gated_blocks(model: SharingArchitecture, tasks: Sequence[str]) -> list[Block]:
    """Return the blocks of the model's connections that gates open and close."""
    del model, tasks
    return []


@gated_blocks.register
def _(model: SNR, tasks: Sequence[str]) -> list[Block]:
    subnetworks = numbered("sub-network", model.subnetworks)
    readers = [(connection, subnetworks) for connection in model.connections] + [
        (model.to_tasks, list(tasks))
    ]
    result = []
    for connection, targets in readers:
        values = tf.cast(connection.gate.values(), tf.float32).numpy()
        result += [
            Block(connection.name, source, target, values[i, j : j + 1])
            for i, target in enumerate(targets)
            for j, source in enumerate(subnetworks)
        ]
    return result


@gated_blocks.register
def _(model: DSelectK, tasks: Sequence[str]) -> list[Block]:
    experts = numbered("expert", model.experts.experts)
    values = model.gate.values().numpy()
    return [
        Block(model.gate.name, expert, task, values[i, e : e + 1])
        for i, task in enumerate(tasks)
        for e, expert in enumerate(experts)
    ]


@gated_blocks.register
def _(model: MSSM, tasks: Sequence[str]) -> list[Block]:
    subnetworks = _mssm_subnetworks(tasks)
    values = tf.cast(model.connection.gates[0].values(), tf.float32).numpy()
    result = []
    for i, task in enumerate(tasks):
        if model.cell_sparsity:
            read = zip((subnetworks[i], subnetworks[-1]), values[i], strict=True)
        else:
            read = zip(subnetworks, values[i, :, np.newaxis], strict=True)
        result += [Block(model.connection.name, source, task, gates) for source, gates in read]
    return result


def closed_shares(model: SharingArchitecture) -> dict[str, float]:
    """Return the share of gates that are closed, by connection."""
    gates: dict[str, list[tf.Tensor]] = {}
    for block in gated_blocks(model, [str(task) for task in range(model.tasks)]):
        gates.setdefault(block.connection, []).append(block.gates)
    return {name: float(np.mean(np.concatenate(values) == 0.0)) for name, values in gates.items()}


@functools.singledispatch
def mixtures(model: SharingArchitecture, tasks: Sequence[str]) -> list[Coefficients]:
    """Return the linear mixtures that the model has learnt."""
    del model, tasks
    return []


@mixtures.register
def _(model: CrossStitch, tasks: Sequence[str]) -> list[Coefficients]:
    return [
        Coefficients(f"{unit.name}/alpha", tasks, tasks, unit.alpha.numpy()) for unit in model.units
    ]


@mixtures.register
def _(model: Sluice, tasks: Sequence[str]) -> list[Coefficients]:
    subspaces = [
        f"{task} {subspace}" for task in tasks for subspace in numbered("subspace", SUBSPACES)
    ]
    layers = numbered("layer", len(model.units))
    return [
        *(
            Coefficients(f"{unit.name}/alpha", subspaces, subspaces, unit.alpha.numpy())
            for unit in model.units
        ),
        Coefficients("beta", layers, tasks, model.beta.numpy()),
    ]


@mixtures.register
def _(model: AdaTT, tasks: Sequence[str]) -> list[Coefficients]:
    result = []
    for level in model.levels:
        if model.task_experts > 1:
            values = np.stack([level.native_weights(task) for task in range(len(tasks))])
            own = numbered("own", model.task_experts)
            result.append(Coefficients(f"{level.name}/v", own, tasks, values))
        if model.shared_experts > 1 and not level.last:
            values = np.stack([level.native_weights(len(tasks))])
            shared = numbered("shared", model.shared_experts)
            result.append(Coefficients(f"{level.name}/v of shared", shared, ["shared"], values))
    return result


def cross_strengths(network: AssembledNetwork, fields: Sequence[str]) -> list[Coefficients]:
    """Return how strongly each layer of crosses multiplies fields by each other.

    A value is the Frobenius norm of a block of W_l, by the field of x_0 that is multiplied and the
    field of x_l that multiplies it, as the authors of DCN V2 show it.

    Args:
        network: a built network.
        fields: names of the fields, in the order of the flattened input.
    """
    widths = network.layout.field_widths
    first = np.cumsum([0, *widths[:-1]])
    result = []
    for number, cross in enumerate(network.crosses):
        of_task = f"{list(network.layout.tasks)[number]}/" if len(network.crosses) > 1 else ""
        for layer, matrix in enumerate(cross.matrices(), start=1):
            squares = np.add.reduceat(np.square(matrix), first, axis=0)
            norms = np.sqrt(np.add.reduceat(squares, first, axis=1))
            name = f"{of_task}cross_{layer}/W"
            result.append(Coefficients(name, fields, fields, tf.constant(norms)))
    return result


def _mssm_subnetworks(tasks: Sequence[str]) -> list[str]:
    # No task's name makes its own sub-network the shared one.
    return [*(f"own of {task}" for task in tasks), "shared"]

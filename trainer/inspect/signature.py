"""The parts of an export that `fulcrum inspect` reads: a signature and a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from feature_spec.artifacts.inspection import (
    AttendedLists,
    GatedBlock,
    GatedParts,
    InspectionGuide,
    Mixture,
    attention_output,
    expert_sizes_output,
    expert_zeros_output,
    feature_gate_output,
    field_mask_output,
    gate_output,
)
from feature_spec.fields.field import NumericField, VectorField
from feature_spec.histories.attention import AttendedHistory
from feature_spec.spec import FeatureSpec
from trainer.inspect.expert_outputs import expert_outputs, feature_gates
from trainer.inspect.introspection import (
    Block,
    Coefficients,
    cross_strengths,
    field_masks,
    gate_weights,
    gated_blocks,
    mixtures,
)
from trainer.inspect.personalised_gates import gate_outputs
from trainer.network.network import AssembledNetwork, Network


def introspection_outputs(
    network: AssembledNetwork, features: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Compute the outputs of the signature `inspect`.

    Args:
        network: a built network.
        features: transformed features.

    Returns:
        The weights (B, E) of each gate, the share of zeros and the size of each expert (B, E), the
        feature gates (B, F) of each expert, the masks (B, F) of each sub-network, the weights
        (B, L) of the entries of each history, and what PEPNet's gates do (`gate_outputs`), float32.
    """
    gated = network.gated(network.flat_inputs(network.look_up(features), features))
    inputs = [one.x for one in gated]
    tasks = list(network.layout.tasks)
    gates = gate_weights(network.sharing, inputs, tasks)
    masks = field_masks(network.sharing, inputs, tasks)
    experts = expert_outputs(network.sharing, inputs, tasks)
    read = feature_gates(network.sharing, inputs, tasks, network.layout.field_widths)
    return {
        **{expert_zeros_output(level): found.zeros for level, found in experts.items()},
        **{expert_sizes_output(level): found.sizes for level, found in experts.items()},
        **{feature_gate_output(expert): means for expert, means in read.items()},
        **{gate_output(name): tf.cast(gate.weights, tf.float32) for name, gate in gates.items()},
        **{field_mask_output(name): tf.cast(mask, tf.float32) for name, mask in masks.items()},
        **{attention_output(name): weights for name, weights in _attention(network, features)},
        **{
            name: tf.cast(gates, tf.float32)
            for name, gates in gate_outputs(gated, network.layout.field_widths, tasks).items()
        },
    }


def _attention(
    network: AssembledNetwork, features: Mapping[str, tf.Tensor]
) -> Iterator[tuple[str, tf.Tensor]]:
    """Yield the weights of each history's entries, averaged over heads and over sets of tables."""
    if not network.layout.attentions:
        return
    of_sets = [
        [layer.mean_weights(history) for layer, history in zip(*of_set, strict=True)]
        for of_set in zip(network.attentions, network.histories(features), strict=True)
    ]
    for layout, weights in zip(network.layout.attentions, zip(*of_sets, strict=True), strict=True):
        yield layout.name, tf.reduce_mean(tf.stack(weights), axis=0)


def inspection_guide(
    network: Network,
    fields: Sequence[str],
    histories: Sequence[AttendedHistory] = (),
    gated: GatedParts | None = None,
) -> InspectionGuide:
    """Collect all that a network shows without examples, and the names of the rest.

    Args:
        network: a built network.
        fields: names of the fields, in the order of the flattened input.
        histories: the histories that candidates attend to.
        gated: what PEPNet's gates scale; None without gates.
    """
    tasks = list(network.layout.tasks)
    # Names do not depend on values, so one row of zeros serves to ask for them.
    zeros = network.zero_inputs()
    return InspectionGuide(
        model=network.model_name,
        gates={
            name: list(gate.experts)
            for name, gate in gate_weights(network.sharing, zeros, tasks).items()
        },
        expert_outputs={
            level: list(found.experts)
            for level, found in expert_outputs(network.sharing, zeros, tasks).items()
        },
        feature_gates=list(
            feature_gates(network.sharing, zeros, tasks, network.layout.field_widths)
        ),
        fields=list(fields),
        subnetworks=list(field_masks(network.sharing, zeros, tasks)),
        blocks=[_gated_block(block) for block in gated_blocks(network.sharing, tasks)],
        mixtures=[
            _mixture(coefficients)
            for coefficients in (
                *cross_strengths(network, fields),
                *mixtures(network.sharing, tasks),
            )
        ],
        histories=[
            AttendedLists(history=one.name, pooling=one.pooling, values=one.values, marks=one.marks)
            for one in histories
        ],
        gated=gated,
    )


def gated_parts(network: Network, spec: FeatureSpec) -> GatedParts | None:
    """Return what PEPNet's gates scale in a network, and the kinds of the fields of the domain."""
    settings = network.personalise
    if settings is None:
        return None
    layers = len(network.towers[0].units) if settings.prior else 0
    return GatedParts(
        gates_input=bool(settings.domain),
        towers=dict.fromkeys(network.layout.tasks, layers) if layers else {},
        # A history has no value of its own in the examples, and no two vectors are alike.
        domain={
            name: "number" if isinstance(spec.fields[name], NumericField) else "text"
            for name in settings.domain
            if name in spec.fields and not isinstance(spec.fields[name], VectorField)
        },
    )


def _gated_block(block: Block) -> GatedBlock:
    gates = np.asarray(block.gates, np.float64)
    return GatedBlock(
        connection=block.connection,
        source=block.source,
        target=block.target,
        gates=gates.size,
        closed_share=float(np.mean(gates == 0.0)),
        mean=float(gates.mean()),
    )


def _mixture(coefficients: Coefficients) -> Mixture:
    values = np.asarray(coefficients.values, np.float64)
    a_unit = values.ndim > 2
    return Mixture(
        name=coefficients.name,
        sources=list(coefficients.sources),
        targets=list(coefficients.targets),
        values=(values.mean(axis=2) if a_unit else values).tolist(),
        standard_deviations=values.std(axis=2).tolist() if a_unit else None,
    )

"""What an export holds for `fulcrum inspect`: a signature for what depends on examples, and a file for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.inspect.inspection import (
    GatedBlock,
    InspectionGuide,
    Mixture,
    field_mask_output,
    gate_output,
)
from trainer.models.inner_values import Block, Coefficients
from trainer.network.network import Network


def inner_values_by_row(network: Network, inputs: list[Any]) -> dict[str, tf.Tensor]:
    """Flattened field embeddings (B, I) → weights (B, E) of each gate and masks (B, F) of each sub-network, float32."""
    tasks = list(network.layout.tasks)
    gates = network.sharing.gate_weights(inputs, tasks)
    masks = network.sharing.field_masks(inputs, tasks)
    return {
        **{gate_output(name): tf.cast(gate.weights, tf.float32) for name, gate in gates.items()},
        **{field_mask_output(name): tf.cast(mask, tf.float32) for name, mask in masks.items()},
    }


def inspection_guide(network: Network, fields: Sequence[str]) -> InspectionGuide:
    """What a network says of itself.

    Args:
        network: with its variables.
        fields: names in the order of the flattened input.
    """
    tasks = list(network.layout.tasks)
    # Names do not depend on values, so one row of zeros serves to ask for them.
    zeros = [tf.zeros([1, sum(network.layout.field_widths)])] * network.sharing.embeddings
    return InspectionGuide(
        model=network.model_name,
        gates={
            name: list(gate.experts)
            for name, gate in network.sharing.gate_weights(zeros, tasks).items()
        },
        fields=list(fields),
        subnetworks=list(network.sharing.field_masks(zeros, tasks)),
        blocks=[_gated_block(block) for block in network.sharing.blocks(tasks)],
        mixtures=[_mixture(coefficients) for coefficients in network.sharing.mixtures(tasks)],
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

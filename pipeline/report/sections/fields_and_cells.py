"""The section on what sparse models close.

Fields (MSSM, Fig 3a), cells and connections (MSSM, Fig 3b; SNR), and learnt mixtures.
"""

from __future__ import annotations

import itertools
from typing import Any

from feature_spec.artifacts.inspection import (
    GatedBlock,
    Mixture,
    SubnetworkFields,
    ValueEffects,
)
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Cell, Note, Section, Table


def fields_and_cells_section(run: RunData) -> Section | None:
    """Return the section, in which a darker ground is a larger value.

    None where the model has nothing of the kind.
    """
    inspection = run.insight.inspection if run.insight is not None else None
    if inspection is None or not (
        inspection.field_masks
        or inspection.blocks
        or inspection.mixtures
        or inspection.training_only
    ):
        return None
    blocks: list[Any] = []
    if inspection.field_masks:
        blocks.append(_field_masks(inspection.field_masks, inspection.examples))
    for connection, group in itertools.groupby(
        inspection.blocks, key=lambda block: block.connection
    ):
        blocks.append(_cells(connection, list(group)))
    if pruned := inspection.multiplications:
        left, whole = pruned.remaining.candidate, pruned.all_open.candidate
        blocks.append(
            Note(
                f"For each candidate the export does {left:,} of {whole:,} multiplications "
                f"({left / whole:.0%})."
            )
        )
    blocks += [_mixture(mixture) for mixture in inspection.mixtures]
    blocks += [_value_effects(effects) for effects in inspection.training_only]
    return Section(
        anchor="fields-and-cells",
        title="Fields, cells and mixtures",
        lead=(
            "What does each task read, and what has the model closed? The stronger a cell's "
            "colour, the larger its number. A field whose mask is 0 for a task does not reach "
            "it; closed cells cost nothing in service."
        ),
        blocks=blocks,
    )


def _field_masks(subnetworks: list[SubnetworkFields], examples: int) -> Table:
    rows: list[list[str | Cell]] = []
    for masks in zip(*(one.fields for one in subnetworks), strict=True):
        rows.append(
            [
                masks[0].field,
                *(Cell(f"{mask.mean:.2f}", share=min(max(mask.mean, 0.0), 1.0)) for mask in masks),
            ]
        )
    return Table(
        caption=(
            f"Mean field mask over {examples:,} examples: how far each sub-network reads a field"
        ),
        columns=["Field", *(one.subnetwork for one in subnetworks)],
        rows=rows,
    )


def _cells(connection: str, blocks: list[GatedBlock]) -> Table:
    # Tasks' own sub-networks stand on the diagonal, so the shared one is last.
    sources = sorted(
        dict.fromkeys(block.source for block in blocks), key=lambda source: source == "shared"
    )
    rows: list[list[str | Cell]] = []
    for target in dict.fromkeys(block.target for block in blocks):
        closed = {block.source: block.closed_share for block in blocks if block.target == target}
        rows.append(
            [
                target,
                *(
                    Cell(f"{closed[source]:.0%}", share=closed[source]) if source in closed else ""
                    for source in sources
                ),
            ]
        )
    return Table(
        caption=f"{connection}: share of closed gates, from the column's sub-network to the row's",
        columns=["To", *(f"from {source}" for source in sources)],
        rows=rows,
    )


def _value_effects(effects: ValueEffects) -> Table:
    highest = max((abs(one) for row in effects.effects.values() for one in row), default=0.0) or 1.0
    return Table(
        caption=(
            f"Logits by {effects.field}, which only training has, against an unknown value, as "
            "requests are scored with"
        ),
        columns=[effects.field, *effects.effects],
        rows=[
            [
                value,
                *(Cell(f"{one:+.2f}", share=abs(one) / highest, negative=one < 0.0) for one in row),
            ]
            for value, *row in zip(effects.values, *effects.effects.values(), strict=True)
        ],
    )


def _mixture(mixture: Mixture) -> Table:
    highest = max((abs(value) for row in mixture.values for value in row), default=1.0) or 1.0
    return Table(
        caption=f"{mixture.name}: a row is a mixture of the columns",
        columns=["", *mixture.sources],
        rows=[
            [
                target,
                *(
                    Cell(f"{value:.2f}", share=abs(value) / highest, negative=value < 0.0)
                    for value in values
                ),
            ]
            for target, values in zip(mixture.targets, mixture.values, strict=True)
        ],
    )

"""The section on what PEPNet's gates do by the values of the domain."""

from __future__ import annotations

from typing import Any

from feature_spec.artifacts.inspection import GatesOfValue, PersonalisedGates
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.section import Cell, Section, Table


def personalised_gates_section(run: RunData) -> Section | None:
    """Return the section, in which a darker ground is a gate further from 1; None without gates."""
    gates = run.insight.inspection.personalised if run.insight is not None else None
    if gates is None:
        return None
    shown = [("all", gates.overall)] + [
        (f"{one.field} {value.value}", value) for one in gates.by for value in one.values
    ]
    examples = f"{gates.overall.examples:,} examples"
    blocks: list[Any] = []
    if gates.fields:
        blocks.append(_fields(gates, shown, examples))
    if gates.layers:
        blocks.append(_layers(gates, shown, examples))
    return Section(
        anchor="gates",
        title="Gates by domain and prior information",
        lead=(
            "What do PEPNet's gates change, and where? A gate of 1 leaves a field as it is, one "
            "below 1 makes it count less. Rows that look alike say that the domains need no gates."
        ),
        blocks=blocks,
    )


def _fields(
    gates: PersonalisedGates, shown: list[tuple[str, GatesOfValue]], examples: str
) -> Table:
    return Table(
        caption=f"Mean gate of each field over {examples}",
        columns=["Domain", "Examples", *gates.fields],
        rows=[
            [
                name,
                f"{value.examples:,}",
                *(
                    Cell(f"{gate:.2f}", share=min(abs(gate - 1.0), 1.0), negative=gate < 1.0)
                    for gate in value.fields
                ),
            ]
            for name, value in shown
        ],
    )


def _layers(
    gates: PersonalisedGates, shown: list[tuple[str, GatesOfValue]], examples: str
) -> Table:
    return Table(
        caption=f"Mean distance from 1 of the gates of each tower's layers over {examples}",
        columns=["Domain", "Examples", *gates.layers],
        rows=[
            [
                name,
                f"{value.examples:,}",
                *(Cell(f"{far:.2f}", share=min(far, 1.0)) for far in value.layers),
            ]
            for name, value in shown
        ],
    )

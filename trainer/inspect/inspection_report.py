"""An inspection as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from feature_spec.artifacts.head_distribution import HeadDistribution
from feature_spec.artifacts.inspection import (
    FeatureGates,
    Gate,
    GatedBlock,
    HistoryAttention,
    Inspection,
    LevelOutputs,
    Mixture,
    PersonalisedGates,
    SubnetworkFields,
    ValueEffects,
)
from feature_spec.histories.history_fields import AGE
from feature_spec.histories.history_values import age_text
from trainer.inspect.calibration_tables import calibration_tables

# Wider mixtures are shown by their largest coefficients; `--json` and `--html` have all of them.
_MOST_COLUMNS = 12
_LARGEST_SHOWN = 20


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what a model shows, or that it has nothing to show."""
    console.print(f"{inspection.model}, {inspection.folder}", soft_wrap=True, highlight=False)
    if inspection.is_empty:
        console.print(
            f"{inspection.model} has nothing to show: no gates, no field masks, no learnt "
            "mixtures, no attended histories, no calibration."
        )
    for table in _experts(inspection):
        console.print(table)
    if inspection.field_masks:
        console.print(_field_masks(inspection.field_masks, inspection.examples))
    if inspection.blocks:
        console.print(_blocks(inspection.blocks))
    if inspection.multiplications:
        console.print(
            f"Multiplications that the export left: {inspection.multiplications}",
            soft_wrap=True,
            highlight=False,
        )
    for table in (
        *map(_mixture, inspection.mixtures),
        *map(_value_effects, inspection.training_only),
        *map(_head, inspection.heads),
    ):
        console.print(table)
    if inspection.personalised:
        for table in _personalised(inspection.personalised):
            console.print(table)
    for history in inspection.histories:
        for table in _history(history):
            console.print(table)
    if inspection.calibration is not None:
        for table in calibration_tables(inspection.calibration):
            console.print(table)


def _table(title: str, texts: list[str], numbers: list[str], *, min_width: int = 0) -> Table:
    # Rich would break a title that is wider than its table.
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        min_width=min_width or None,
    )
    for heading in texts:
        table.add_column(heading, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _experts(inspection: Inspection) -> Iterator[Table]:
    """Yield the tables of gates and of what the experts that they weigh give out."""
    if inspection.gates:
        yield _gates(inspection.gates, inspection.examples)
    if inspection.expert_outputs:
        yield _expert_outputs(inspection.expert_outputs, inspection.examples)
    if inspection.feature_gates:
        yield _feature_gates(inspection.feature_gates, inspection.examples)


def _gates(gates: list[Gate], examples: int) -> Table:
    table = _table(
        f"Gate weights over {examples:,} examples",
        ["gate", "expert"],
        ["mean", "standard deviation"],
    )
    for gate in gates:
        for position, weight in enumerate(gate.experts):
            table.add_row(
                gate.gate if position == 0 else "",
                weight.expert,
                f"{weight.mean:.4f}",
                f"{weight.standard_deviation:.4f}",
                end_section=position == len(gate.experts) - 1,
            )
    return table


def _expert_outputs(levels: list[LevelOutputs], examples: int) -> Table:
    title = f"Outputs of experts over {examples:,} examples"
    table = _table(title, ["level", "expert"], ["zeros", "mean size"], min_width=len(title))
    for level in levels:
        for position, expert in enumerate(level.experts):
            table.add_row(
                level.level if position == 0 else "",
                expert.expert,
                f"{expert.zero_share:.1%}",
                f"{expert.size:.4f}",
                end_section=position == len(level.experts) - 1,
            )
    return table


def _feature_gates(experts: list[FeatureGates], examples: int) -> Table:
    title = f"Mean feature gate over {examples:,} examples (1 leaves a field as it is)"
    names = [one.expert for one in experts]
    table = _table(title, ["field"], names, min_width=len(title))
    for field in experts[0].fields:
        table.add_row(field, *(f"{one.fields[field]:.3f}" for one in experts))
    return table


def _field_masks(subnetworks: list[SubnetworkFields], examples: int) -> Table:
    names = [one.subnetwork for one in subnetworks]
    table = _table(
        f"Mean field mask over {examples:,} examples (share of rows in which it is 0)",
        ["field"],
        names,
    )
    for masks in zip(*(one.fields for one in subnetworks), strict=True):
        table.add_row(
            masks[0].field, *(f"{mask.mean:.3f} ({mask.zero_share:.0%})" for mask in masks)
        )
    return table


def _blocks(blocks: list[GatedBlock]) -> Table:
    numbers = ["gates", "closed", "mean gate"]
    table = _table("Gates of connections", ["connection", "from", "to"], numbers)
    for block in blocks:
        table.add_row(
            block.connection,
            block.source,
            block.target,
            str(block.gates),
            f"{block.closed_share:.1%}",
            f"{block.mean:.4f}",
        )
    return table


def _history(attention: HistoryAttention) -> Iterator[Table]:
    """Yield the tables of a history: weights by place, of what is alike, and of examples."""
    name, pooling = attention.history, attention.pooling
    empty = f"{attention.empty_share:.1%} of examples have none"
    title = f"Weights of entries of {name} ({pooling}; {empty})"
    table = _table(title, ["entries"], ["number", "mean weight"], min_width=len(title))
    for place in attention.places:
        places = f"{place.first}" if place.first == place.last else f"{place.first}–{place.last}"
        table.add_row(f"place {places}", f"{place.entries:,}", f"{place.mean:.4f}")
    table.add_section()
    for alike in attention.alike:
        table.add_row(f"same {alike.field}", f"{alike.entries:,}", f"{alike.mean:.4f}")
        table.add_row(f"other {alike.field}", "", f"{alike.mean_of_others:.4f}")
    yield table
    for example in attention.examples:
        candidate = ", ".join(f"{field} {value}" for field, value in example.candidate.items())
        columns = list(example.entries[0].values)
        title = f"{name}: heaviest of {example.length} entries for {candidate}"
        table = _table(title, columns, ["weight"], min_width=len(title))
        for entry in example.entries:
            values = [
                age_text(value) if column == f"{name}_{AGE}" else value
                for column, value in entry.values.items()
            ]
            table.add_row(*values, f"{entry.weight:.4f}")
        yield table


def _personalised(gates: PersonalisedGates) -> Iterator[Table]:
    """Yield the tables of PEPNet's gates: over all examples, then by the values of the domain."""
    parts = (
        ("gates of fields: 1 leaves a field as it is", gates.fields, "fields"),
        ("distance from 1 of the gates of towers", gates.layers, "layers"),
    )
    for what, names, part in parts:
        if not names:
            continue
        title = f"Mean {what}, over {gates.overall.examples:,} examples"
        headings = [f"{one.field} {value.value}" for one in gates.by for value in one.values]
        numbers = ["all", "standard deviation", *headings]
        table = _table(title, ["field" if part == "fields" else "layer"], numbers)
        of_values = [value for one in gates.by for value in one.values]
        shown = [gates.overall, gates.deviations, *of_values]
        for name, values in zip(
            names, zip(*(getattr(one, part) for one in shown), strict=True), strict=True
        ):
            table.add_row(name, *(f"{value:.4f}" for value in values))
        table.add_section()
        table.add_row("examples", *(f"{one.examples:,}" for one in shown))
        yield table


def _value_effects(effects: ValueEffects) -> Table:
    title = f"Logits by {effects.field}, which only training has, against an unknown value"
    table = _table(title, [effects.field], list(effects.effects), min_width=len(title))
    for value, *of_tasks in zip(effects.values, *effects.effects.values(), strict=True):
        table.add_row(value, *(f"{effect:+.4f}" for effect in of_tasks))
    return table


def _head(head: HeadDistribution) -> Table:
    place, *numbers = head.columns
    table = _table(head.title, [place], numbers, min_width=len(head.title))
    for point in head.points:
        table.add_row(f"{point.place:.4g}", f"{point.predicted:.4g}", f"{point.observed:.4g}")
    return table


def _largest_of(mixture: Mixture) -> Table:
    """Return the largest coefficients of a mixture that is too wide for a table of its own."""
    values = [
        (abs(value), target, source, value)
        for target, row in zip(mixture.targets, mixture.values, strict=True)
        for source, value in zip(mixture.sources, row, strict=True)
    ]
    shown = sorted(values, key=lambda one: -one[0])[:_LARGEST_SHOWN]
    title = f"{mixture.name}: the {len(shown)} largest of {len(values):,} coefficients"
    table = _table(title, ["row", "column"], ["coefficient"], min_width=len(title))
    for _, target, source, value in shown:
        table.add_row(target, source, f"{value:.4f}")
    return table


def _mixture(mixture: Mixture) -> Table:
    a_unit = mixture.standard_deviations is not None
    spread = ", mean ± standard deviation over units" if a_unit else ""
    if mixture.standard_deviations is None and len(mixture.sources) > _MOST_COLUMNS:
        return _largest_of(mixture)
    title = f"{mixture.name}{spread}: a row is a mixture of the columns"
    table = _table(title, [""], mixture.sources)
    for position, (target, values) in enumerate(zip(mixture.targets, mixture.values, strict=True)):
        shown = [f"{value:.4f}" for value in values]
        if mixture.standard_deviations is not None:
            shown = [
                f"{value} ± {d:.4f}"
                for value, d in zip(shown, mixture.standard_deviations[position], strict=True)
            ]
        table.add_row(target, *shown)
    return table

"""An inspection as pictures: one self-contained HTML file with SVG drawings."""

from __future__ import annotations

import html
import io
import itertools
from collections.abc import Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from feature_spec.artifacts.calibration import TaskCalibration
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

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em }} svg {{ max-width: 100%; height: auto }}
</style></head>
<body>
<h1>{title}</h1>
<p>{folder}</p>
{sections}
</body>
</html>
"""
_GATES_A_ROW = 3
# A heat map of up to this many cells has its numbers written into it.
_MOST_NUMBERS = 400


def as_html(inspection: Inspection) -> str:
    """Return the page, with a picture for each kind of part that the model shows."""
    over = f"over {inspection.examples:,} examples"
    sections: list[tuple[str, Figure]] = []
    if inspection.gates:
        sections.append(
            (f"Gate weights {over}: mean and standard deviation", _gates(inspection.gates))
        )
    if inspection.expert_outputs:
        sections.append(
            (f"Share of zeros among the units of experts {over}", _zeros(inspection.expert_outputs))
        )
    if inspection.feature_gates:
        sections.append(
            (f"Feature gates of experts, distance from 1 {over}", _read(inspection.feature_gates))
        )
    if inspection.field_masks:
        sections.append((f"Field masks: mean {over}", _field_masks(inspection.field_masks, "mean")))
        sections.append(
            (
                f"Field masks: share of rows in which they are 0, {over}",
                _field_masks(inspection.field_masks, "zero_share"),
            )
        )
    for connection, blocks in itertools.groupby(
        inspection.blocks, key=lambda block: block.connection
    ):
        sections.append((f"Share of closed gates: {connection}", _blocks(list(blocks))))
    sections += [
        (f"Coefficients: {mixture.name}", _mixture(mixture)) for mixture in inspection.mixtures
    ]
    sections += [
        (
            f"Logits by {effects.field}, which only training has, against an unknown value",
            _value_effects(effects),
        )
        for effects in inspection.training_only
        if effects.values
    ]
    sections += [(one.title, _head(one)) for one in inspection.heads]
    sections += [
        (f"Weights of entries of {one.history} by place (1 is the newest) {over}", _places(one))
        for one in inspection.histories
        if one.places
    ]
    if inspection.personalised:
        sections += _personalised(inspection.personalised)
    calibrations = inspection.calibration.tasks if inspection.calibration is not None else []
    sections += [
        (f"Calibration of {one.task} on the validation examples, before and after", _agreement(one))
        for one in calibrations
        if one.curve is not None
    ]
    shown = "\n".join(
        f"<h2>{html.escape(title)}</h2>\n{_svg(figure)}" for title, figure in sections
    )
    return _PAGE.format(
        title=f"Inside {html.escape(inspection.model)}",
        folder=html.escape(inspection.folder),
        sections=shown
        or "<p>This model has nothing to show: no gates, no field masks, no learnt mixtures, no "
        "attended histories, no calibration.</p>",
    )


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text, so that the page can be searched. The salt makes equal inspections give equal
    # files.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fulcrum"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    # Drop the header of a separate SVG file.
    return text.getvalue()[text.getvalue().index("<svg") :]


def _gates(gates: list[Gate]) -> Figure:
    """Draw bars as in PLE, Fig 8."""
    highest = max(
        weight.mean + weight.standard_deviation for gate in gates for weight in gate.experts
    )
    rows = -(-len(gates) // _GATES_A_ROW)
    columns = min(len(gates), _GATES_A_ROW)
    figure = Figure(figsize=(4.5 * columns, 3.5 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis, gate in zip(axes, gates, strict=False):
        experts = [weight.expert for weight in gate.experts]
        means = [weight.mean for weight in gate.experts]
        deviations = [weight.standard_deviation for weight in gate.experts]
        colors = ["C1" if expert.startswith("shared") else "C0" for expert in experts]
        axis.bar(range(len(experts)), means, yerr=deviations, capsize=3, color=colors)
        axis.set_xticks(range(len(experts)), experts, rotation=45, ha="right")
        axis.set_title(gate.gate)
        axis.set_ylim(0.0, 1.05 * highest)
    for axis in axes[len(gates) :]:
        axis.set_visible(False)
    return figure


def _zeros(levels: list[LevelOutputs]) -> Figure:
    """Draw a bar for each expert; near 1, an expert has collapsed (HoME)."""
    figure = Figure(figsize=(6.0 * len(levels), 3.5), layout="constrained")
    axes = figure.subplots(1, len(levels), squeeze=False, sharey=True).ravel()
    for axis, level in zip(axes, levels, strict=True):
        names = [expert.expert for expert in level.experts]
        colors = ["C1" if name.startswith("shared") else "C0" for name in names]
        axis.bar(range(len(names)), [expert.zero_share for expert in level.experts], color=colors)
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_title(level.level)
        axis.set_ylim(0.0, 1.0)
    return figure


def _read(experts: list[FeatureGates]) -> Figure:
    """Draw experts × fields: positive where an expert reads more of a field than is there."""
    values = np.array([list(one.fields.values()) for one in experts]) - 1.0
    return _heat_map(values, [one.expert for one in experts], list(experts[0].fields), signed=True)


def _places(attention: HistoryAttention) -> Figure:
    figure = Figure(figsize=(6.0, 3.0), layout="constrained")
    axis = figure.subplots()
    names = [
        str(place.first) if place.first == place.last else f"{place.first}–{place.last}"
        for place in attention.places
    ]
    axis.bar(range(len(names)), [place.mean for place in attention.places])
    axis.set_xticks(range(len(names)), names)
    axis.set_ylabel("mean weight")
    return figure


def _agreement(task: TaskCalibration) -> Figure:
    """Draw mean labels by mean scores, whose diagonal is right."""
    figure = Figure(figsize=(4.0, 4.0), layout="constrained")
    axis = figure.subplots()
    most = 0.0
    for name, part in (("before", task.before), ("after", task.after)):
        buckets = part.buckets if part is not None else []
        scores = [bucket.mean_score for bucket in buckets]
        labels = [bucket.mean_label for bucket in buckets]
        axis.plot(scores, labels, marker="o", label=name)
        most = max([most, *scores, *labels])
    axis.plot([0.0, most], [0.0, most], linestyle=":", color="grey")
    axis.set_xlabel("mean score")
    axis.set_ylabel("mean label")
    axis.legend()
    return figure


def _head(head: HeadDistribution) -> Figure:
    """Draw what is predicted and seen at each cut, or the share seen at each level."""
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axis = figure.subplots()
    place, predicted, observed = head.columns
    places = [point.place for point in head.points]
    axis.plot(places, [point.observed for point in head.points], marker="o", label=observed)
    if head.head == "ordinal":
        axis.plot(places, [point.predicted for point in head.points], marker=".", label=predicted)
    else:
        axis.plot([0.0, 1.0], [0.0, 1.0], linestyle=":", color="grey")
    axis.set_xlabel(place)
    axis.legend()
    return figure


def _field_masks(subnetworks: list[SubnetworkFields], statistic: str) -> Figure:
    values = np.array([[getattr(mask, statistic) for mask in one.fields] for one in subnetworks])
    fields = [mask.field for mask in subnetworks[0].fields]
    return _heat_map(values, [one.subnetwork for one in subnetworks], fields)


def _blocks(blocks: list[GatedBlock]) -> Figure:
    """Draw targets × sources; blocks that do not exist stay grey."""
    # The tasks' own sub-networks stand on the diagonal, so the shared one comes last.
    sources = sorted(
        dict.fromkeys(block.source for block in blocks), key=lambda source: source == "shared"
    )
    targets = list(dict.fromkeys(block.target for block in blocks))
    values = np.full((len(targets), len(sources)), np.nan)
    for block in blocks:
        values[targets.index(block.target), sources.index(block.source)] = block.closed_share
    return _heat_map(values, targets, sources)


def _personalised(gates: PersonalisedGates) -> list[tuple[str, Figure]]:
    """Draw PEPNet's gates: a row for each value of the domain, and one for all examples."""
    over = f"over {gates.overall.examples:,} examples"
    shown = [("all", gates.overall)] + [
        (f"{one.field} {value.value} ({value.examples:,})", value)
        for one in gates.by
        for value in one.values
    ]
    rows = [name for name, _ in shown]
    sections = []
    if gates.fields:
        changes = np.array([value.fields for _, value in shown]) - 1.0
        title = f"Gates of fields by domain: mean gate − 1 {over}"
        sections.append((title, _heat_map(changes, rows, gates.fields, signed=True)))
    if gates.layers:
        distances = np.array([value.layers for _, value in shown])
        title = f"Gates of towers by domain: mean distance from 1 {over}"
        sections.append((title, _heat_map(distances, rows, gates.layers)))
    return sections


def _value_effects(effects: ValueEffects) -> Figure:
    values = np.array(list(effects.effects.values()))
    return _heat_map(values, list(effects.effects), effects.values, signed=True)


def _mixture(mixture: Mixture) -> Figure:
    return _heat_map(np.array(mixture.values), mixture.targets, mixture.sources, signed=True)


def _heat_map(
    values: npt.NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    signed: bool = False,
) -> Figure:
    """Draw shares, in [0, 1], or signed values; NaN stays grey."""
    highest = float(np.abs(values).max()) or 1.0 if signed else 1.0
    figure = Figure(figsize=(3.0 + 0.6 * len(columns), 1.8 + 0.5 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.set_facecolor("lightgrey")
    image = axis.imshow(
        values,
        cmap="RdBu" if signed else "Blues",
        vmin=-highest if signed else 0.0,
        vmax=highest,
        aspect="auto",
    )
    axis.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axis.set_yticks(range(len(rows)), rows)
    if values.size <= _MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                color = "white" if abs(value) > 0.6 * highest else "black"
                axis.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
    figure.colorbar(image)
    return figure

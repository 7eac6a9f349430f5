"""The section on each task on each slice of the evaluation split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.evidence import examples_text
from pipeline.evaluate.evaluation_result import Estimate, Measurement
from pipeline.evaluate.metrics.metric_registry import meaning_of
from pipeline.report.data.run_data import RunData
from pipeline.report.data.titles import Titles, with_title
from pipeline.report.elements.estimates import change_cell, estimate_cell, whole_split
from pipeline.report.elements.figure import BLUE, GREY, axis_range, figure, reach, rows_height_px
from pipeline.report.elements.section import Cell, Choice, Note, Picture, Section, Table


def slices_section(run: RunData) -> Section:
    """Return the section on slices where the model is good, and where it is not."""
    blocks: list[Any] = []
    options: dict[str, Sequence[Any]] = {}
    for verdict in run.evaluation.tasks if run.evaluation is not None else []:
        if any(part.field for part in verdict.slices):
            options[verdict.task] = _blocks(
                verdict.metric, verdict.slices, verdict.protected, run.titles
            )
    ranking = run.evaluation.ranking if run.evaluation is not None else []
    if any(part.field for part in ranking):
        metric = next(iter(ranking[0].metrics), "")
        options["ranking score"] = _blocks(metric, ranking, (), run.titles)
    if options:
        blocks.append(Choice(label="Task", options=options))
    else:
        blocks.append(Note("No slices: name fields in the section evaluation.slices of the spec."))
    return Section(
        anchor="slices",
        title="Slices",
        lead=(
            "For whom is the model good, and for whom not? Each row is a part of the evaluation "
            "split, by the value of a field. A blue mark is this model, a grey one the serving "
            "model on the same examples; the dotted line is the whole split. A short bar (95 % "
            "interval) means many examples; a protected slice may refuse the model."
        ),
        blocks=blocks,
    )


def _blocks(
    metric: str, parts: Sequence[Measurement], protected: Sequence[str], titles: Titles
) -> list[Any]:
    return [_picture(metric, parts, titles), _table(metric, parts, protected, titles)]


def _name(part: Measurement, titles: Titles) -> str:
    return f"{part.field}={with_title(titles, part.field, part.value)}"


def _picture(metric: str, parts: Sequence[Measurement], titles: Titles) -> Picture:
    label = meaning_of(metric).label
    shown = [part for part in parts if part.field and _value(part.metrics, metric) is not None]
    names = [_name(part, titles) for part in shown]
    made = figure(xaxis={"title": {"text": label}}, scattermode="group", scattergap=0.4)
    made.update_yaxes(autorange="reversed", type="category")
    whole = whole_split(parts)
    seen = [
        of.get(metric)
        for part in [*shown, *([whole] if whole else [])]
        for of in (part.metrics, part.baseline)
    ]
    # Marks in groups would begin the axis at 0.
    possible = (0.0, meaning_of(metric).range.highest)
    made.update_xaxes(range=axis_range(seen, holds_zero=False, within=possible))
    for name, colour, symbol, size, values in (
        ("serving model", GREY, "diamond", 9, [part.baseline for part in shown]),
        ("this model", BLUE, "circle", 11, [part.metrics for part in shown]),
    ):
        estimates = [of_part.get(metric) for of_part in values]
        if any(estimates):
            made.add_scatter(
                x=[estimate.value if estimate else None for estimate in estimates],
                y=names,
                error_x=reach(estimates),
                cliponaxis=False,
                mode="markers",
                name=name,
                orientation="h",
                offsetgroup=name,
                marker={"color": colour, "symbol": symbol, "size": size},
                customdata=[
                    examples_text(part.example_count, part.positive_count) for part in shown
                ],
                hovertemplate="<b>%{y}</b><br>"
                + name
                + ": %{x:.4f}<br>of %{customdata}<extra></extra>",
            )
    if whole is not None and (value := _value(whole.metrics, metric)) is not None:
        made.add_vline(x=value, line={"dash": "dot", "color": GREY, "width": 1.5})
    described = "; ".join(f"{part.name} {_value(part.metrics, metric):.4f}" for part in shown)
    return Picture(
        title=f"{label} by slice",
        describes=described,
        figure=made,
        height_px=rows_height_px(len(shown), 30),
    )


def _table(
    metric: str, parts: Sequence[Measurement], protected: Sequence[str], titles: Titles
) -> Table:
    rows: list[list[str | Cell]] = [
        [
            _name(part, titles) + (" (protected)" if part.name in protected else "")
            if part.field
            else "all examples",
            examples_text(part.example_count, part.positive_count) if part.example_count else "–",
            estimate_cell(part.metrics.get(metric), "quiet" if part.too_few else ""),
            estimate_cell(part.baseline.get(metric), "quiet" if part.too_few else ""),
            Cell(part.too_few, "quiet")
            if part.too_few
            else change_cell(metric, part.changes.get(metric)),
        ]
        for part in parts
    ]
    return Table(
        caption=f"{meaning_of(metric).label} by slice",
        columns=["Slice", "Examples", "This model", "Serving model", "Change"],
        rows=rows,
        folded=True,
    )


def _value(metrics: dict[str, Estimate], name: str) -> float | None:
    estimate = metrics.get(name)
    return estimate.value if estimate is not None else None

"""The section on what candidates attend to of their histories."""

from __future__ import annotations

from typing import Any

from feature_spec.artifacts.inspection import AttendedExample, HistoryAttention, PlaceWeight
from feature_spec.histories.history_fields import AGE
from feature_spec.histories.history_values import age_text
from pipeline.report.data.run_data import RunData
from pipeline.report.data.titles import Titles, with_title
from pipeline.report.elements.figure import BLUE, figure
from pipeline.report.elements.section import Cell, Picture, Section, Table


def attention_section(run: RunData) -> Section | None:
    """Return the section on the weights of what happened before; None where nothing attends."""
    histories = run.insight.inspection.histories if run.insight is not None else []
    if not histories:
        return None
    blocks: list[Any] = []
    for history in histories:
        blocks += [_places(history), _alike(history)]
        blocks += [_example(history, example, run.titles) for example in history.examples]
    return Section(
        anchor="attention",
        title="Attention",
        lead=(
            "What of the past does a candidate look at? Weights are means over entries of the "
            "evaluation split; place 1 is the newest. Look for weights that fall with age, and for "
            "entries that are like the candidate and weigh more than others. If all weigh the "
            "same, a mean of the history would do."
        ),
        blocks=blocks,
    )


def _places(history: HistoryAttention) -> Picture:
    names = [_place(place) for place in history.places]
    weights = [place.mean for place in history.places]
    made = figure(
        xaxis={"title": {"text": "place, from the newest"}, "type": "category"},
        yaxis={"title": {"text": "mean weight"}, "rangemode": "tozero"},
    )
    made.add_scatter(
        x=names,
        y=weights,
        mode="lines+markers",
        name=history.history,
        marker={"color": BLUE, "size": 9},
        customdata=[f"{place.entries:,}" for place in history.places],
        hovertemplate="place %{x}: %{y:.4f}<br>of %{customdata} entries<extra></extra>",
    )
    described = "; ".join(
        f"place {name} {weight:.4f}" for name, weight in zip(names, weights, strict=True)
    )
    return Picture(
        title=f"{history.history} ({history.pooling}): weight of an entry by place",
        describes=f"{described}; {history.empty_share:.1%} of the examples have no entry",
        figure=made,
        height_px=260,
    )


def _place(place: PlaceWeight) -> str:
    return f"{place.first}" if place.first == place.last else f"{place.first}–{place.last}"


def _alike(history: HistoryAttention) -> Table:
    return Table(
        caption=(
            f"{history.history}: weight of entries that have the candidate's value, and of others; "
            f"{history.empty_share:.1%} of the examples have no entry"
        ),
        columns=["Field", "Entries alike", "Their weight", "Weight of others"],
        rows=[
            [
                alike.field,
                f"{alike.entries:,}",
                f"{alike.mean:.4f}" if alike.entries else "–",
                f"{alike.mean_of_others:.4f}",
            ]
            for alike in history.alike
        ],
    )


def _example(history: HistoryAttention, example: AttendedExample, titles: Titles) -> Table:
    candidate = ", ".join(
        f"{field} {with_title(titles, field, value)}" for field, value in example.candidate.items()
    )
    # The lists that share a field come first; age and feedback follow.
    fields = [alike.field for alike in history.alike]
    heaviest = max((abs(entry.weight) for entry in example.entries), default=0.0) or 1.0
    rows: list[list[str | Cell]] = []
    for entry in example.entries:
        values = [
            age_text(value) if name == f"{history.history}_{AGE}" else value
            for name, value in entry.values.items()
        ]
        of_fields = [with_title(titles, *pair) for pair in zip(fields, values, strict=False)]
        weight = Cell(
            f"{entry.weight:.4f}", share=abs(entry.weight) / heaviest, negative=entry.weight < 0.0
        )
        rows.append([*of_fields, *values[len(fields) :], weight])
    columns = list(example.entries[0].values) if example.entries else []
    return Table(
        caption=f"The heaviest of {example.length} entries of {history.history} for {candidate}",
        columns=[*columns, "Weight"],
        rows=rows,
        texts=len(columns),
    )

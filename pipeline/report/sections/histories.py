"""The section on what the examples know of what happened before."""

from __future__ import annotations

import math
from typing import Any

from feature_spec.histories.history_values import age_text
from feature_spec.names import EVALUATION, TRAIN
from pipeline.report.data.history_data import HistoryNumbers, HistoryPart
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import BLUE, COLOURS, ORANGE, figure, rows_height_px
from pipeline.report.elements.section import Cell, Note, Picture, Section, Table

# Beyond these, a history is worth a look.
EMPTY_SHARE = 0.5
SHIFT = 1.0
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000, 1_000_000)


def histories_section(run: RunData) -> Section | None:
    """Return the section on freshness, length, emptiness and drift; None without histories."""
    if run.histories is None:
        return None
    shown = [history for history in run.histories.histories if history.parts]
    blocks: list[Any] = [Note(f"What happened before is {run.histories.known}.")]
    warm_up = run.ingestion.totals.get("warm_up", 0) if run.ingestion is not None else 0
    if warm_up:
        blocks.append(Note(f"{warm_up:,} exposures of the warm-up only added to histories."))
    if shown:
        blocks += [_lengths(shown), _table(shown)]
    else:
        blocks.append(Note("The run has no statistics of its examples.", "warn"))
    aged = [history for history in shown if _whole(history).ages]
    if aged:
        blocks.append(_ages(aged))
    return Section(
        anchor="histories",
        title="Histories",
        lead=(
            "How much do the examples know of what happened before, and how old is it? A mark is "
            "the median, its bar reaches from the fewest tenth of the examples to the most. Look "
            "for a history that is empty more often than not, and for one that differs between "
            "the splits: a count without a window grows as long as the log does."
        ),
        blocks=blocks,
    )


def _whole(history: HistoryNumbers) -> HistoryPart:
    """Return the part that judges the model, or else the other one."""
    return history.parts.get(EVALUATION) or next(iter(history.parts.values()))


def _lengths(histories: list[HistoryNumbers]) -> Picture:
    names = [history.name for history in histories]
    made = figure(scattermode="group", scattergap=0.4)
    made.update_yaxes(autorange="reversed", type="category")
    most = 0.0
    for split, colour in ((TRAIN, BLUE), (EVALUATION, ORANGE)):
        parts = [history.parts.get(split) for history in histories]
        ends = [
            (_tenth(part, 1), part.median, _tenth(part, -2)) if part else None for part in parts
        ]
        most = max([most, *(end[2] for end in ends if end)])
        made.add_scatter(
            x=[math.log1p(end[1]) if end else None for end in ends],
            y=names,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [math.log1p(end[2]) - math.log1p(end[1]) if end else 0 for end in ends],
                "arrayminus": [
                    math.log1p(end[1]) - math.log1p(end[0]) if end else 0 for end in ends
                ],
                "thickness": 1.5,
                "width": 4,
            },
            mode="markers",
            name=split,
            orientation="h",
            offsetgroup=split,
            marker={"color": colour, "size": 9},
            customdata=[[f"{number:,.0f}" for number in end] if end else [] for end in ends],
            hovertemplate=(
                "<b>%{y}</b><br>" + split + ": median %{customdata[1]}, "
                "%{customdata[0]} to %{customdata[2]}<extra></extra>"
            ),
        )
    ticks = [tick for tick in _TICKS if tick <= max(most, 1.0) * 1.5]
    made.update_xaxes(
        title={"text": "exposures before"},
        tickvals=[math.log1p(tick) for tick in ticks],
        ticktext=[f"{tick:,}" for tick in ticks],
    )
    described = ", ".join(f"{one.name} {_whole(one).median:,.0f}" for one in histories)
    return Picture(
        title="Exposures before, by count and window, and lengths of sequences",
        describes=f"Medians: {described}",
        figure=made,
        height_px=rows_height_px(len(histories), 34),
    )


def _tenth(part: HistoryPart, place: int) -> float:
    return part.tenths[place] if len(part.tenths) > 2 else part.mean


def _table(histories: list[HistoryNumbers]) -> Table:
    rows: list[list[str | Cell]] = []
    for history in histories:
        parts = [history.parts.get(split) for split in (TRAIN, EVALUATION)]
        empty = [
            Cell(
                f"{part.empty_share:.1%}",
                "warn" if part.empty_share > EMPTY_SHARE else "",
                share=part.empty_share,
            )
            if part
            else Cell("–")
            for part in parts
        ]
        means = [
            f"{part.mean:,.1f}" + (f" of {history.max_length}" if history.max_length else "")
            if part
            else "–"
            for part in parts
        ]
        shift = history.shift
        differs = shift is not None and abs(shift) > SHIFT
        rows.append(
            [
                history.name,
                " × ".join(history.by),
                *empty,
                *means,
                Cell("–" if shift is None else f"{shift:+.2f}", "warn" if differs else ""),
            ]
        )
    return Table(
        caption="Emptiness and means",
        columns=[
            "History",
            "Key",
            "empty, train",
            "empty, evaluation",
            "mean, train",
            "mean, evaluation",
            "shift",
        ],
        rows=rows,
        texts=2,
        hints={
            "empty, train": "Examples without a key, or with nothing before.",
            "mean, train": "Exposures before; the length of sequences that are not empty.",
            "shift": "Evaluation's mean minus training's, in the training's standard deviations.",
        },
    )


def _ages(histories: list[HistoryNumbers]) -> Picture:
    tokens = sorted({token for one in histories for token in _whole(one).ages}, key=_digits)
    made = figure(
        barmode="group",
        xaxis={"type": "category", "title": {"text": "age of the exposure"}},
        yaxis={"title": {"text": "share of the list"}, "tickformat": ".0%", "rangemode": "tozero"},
    )
    for history, colour in zip(histories, COLOURS * len(histories), strict=False):
        ages = _whole(history).ages
        made.add_bar(
            x=[age_text(token) for token in tokens],
            y=[ages.get(token, 0.0) for token in tokens],
            name=history.name,
            marker={"color": colour},
            hovertemplate="<b>%{x}</b><br>%{y:.1%}<extra></extra>",
        )
    described = "; ".join(
        f"{one.name}: "
        + ", ".join(
            f"{age_text(token)} {_whole(one).ages[token]:.0%}"
            for token in tokens
            if token in _whole(one).ages
        )
        for one in histories
    )
    return Picture(
        title="How old the exposures of sequences are",
        describes=described,
        figure=made,
        height_px=280,
    )


def _digits(token: str) -> int:
    return int(token) if token.isdecimal() else -1

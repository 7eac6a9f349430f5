"""The section on the ranking formula, and on how much each of its weights decides."""

from __future__ import annotations

from typing import Any

from feature_spec.artifacts.weight_effects import WeightEffects
from feature_spec.spec_tables import formula_text
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.estimates import measurement_table
from pipeline.report.elements.figure import BLUE, GREY, ORANGE, figure, rows_height_px
from pipeline.report.elements.section import Cell, Note, Picture, Section, Table

_COLOURS = {0.0: ORANGE, 0.5: GREY, 1.5: BLUE}
_LISTS = {"request": "a request", "user_day": "a user and day", "user": "a user"}


def formula_section(run: RunData) -> Section:
    """Return the section on how often the top changes with each weight."""
    blocks: list[Any] = []
    if run.formula is not None:
        blocks.append(Note(f"ranking score = {formula_text(run.formula)}"))
    ranking = (
        run.evaluation.ranking[0] if run.evaluation is not None and run.evaluation.ranking else None
    )
    if ranking is not None:
        blocks.append(measurement_table("Quality of the ranking score's order", ranking))
    effects = run.insight.weight_effects if run.insight is not None else None
    if effects is None:
        blocks.append(
            Note(
                "What the weights decide is not computed: the run did not get so far, or was "
                "made by an older Fulcrum."
            )
        )
    elif effects.not_measured:
        blocks.append(Note(f"What the weights decide cannot be told: {effects.not_measured}."))
    else:
        blocks += _effects(effects)
    return Section(
        anchor="formula",
        title="Ranking formula",
        lead=(
            "Candidates are ordered by the product of their scores, each raised to its weight. "
            "How much does each weight decide? Each bar is the share of lists whose top 10 get "
            "another candidate when this weight alone is changed. A weight with no bars decides "
            "nothing: its task could be left out; a long bar means that a small change will be "
            "felt."
        ),
        blocks=blocks,
    )


def changed_text(factor: float) -> str:
    """Return a change of a weight in words."""
    return "set to 0" if factor == 0.0 else f"{factor - 1.0:+.0%}"


def _effects(effects: WeightEffects) -> list[Any]:
    lists = (
        f"{effects.lists:,} lists, each of {_LISTS[effects.by or 'user']} with more than "
        f"{effects.top_k} evaluation examples"
    )
    rows = effects.effects
    names = list(dict.fromkeys(f"{row.name} ({row.weight:g})" for row in rows))
    made = figure(
        barmode="group",
        xaxis={
            "tickformat": ".0%",
            "range": [0, 1],
            "title": {"text": f"lists whose top {effects.top_k} change"},
        },
    )
    made.update_yaxes(autorange="reversed", type="category")
    for factor in dict.fromkeys(row.factor for row in rows):
        of_factor = [row for row in rows if row.factor == factor]
        made.add_bar(
            orientation="h",
            x=[row.changed_share for row in of_factor],
            y=names,
            name=changed_text(factor),
            marker={"color": _COLOURS.get(factor, BLUE)},
            customdata=[[row.replaced_share, row.changed_first_share] for row in of_factor],
            hovertemplate=(
                f"<b>%{{y}}</b> {changed_text(factor)}<br>top {effects.top_k} change in "
                f"%{{x:.1%}} of lists<br>%{{customdata[0]:.1%}} of the places go to "
                f"others<br>the first one changes in %{{customdata[1]:.1%}}<extra></extra>"
            ),
        )
    described = "; ".join(
        f"{row.name} {changed_text(row.factor)}: {row.changed_share:.0%}" for row in rows
    )
    picture = Picture(
        title=f"Over {lists}",
        describes=described,
        figure=made,
        height_px=rows_height_px(len(names), 56),
    )
    cells: list[list[str | Cell]] = [
        [
            row.name,
            f"{row.weight:g}",
            changed_text(row.factor),
            *(
                Cell(f"{share:.1%}", share=share)
                for share in (row.changed_share, row.replaced_share, row.changed_first_share)
            ),
        ]
        for row in rows
    ]
    table = Table(
        caption="What changes, by weight",
        columns=[
            "Weight of",
            "Now",
            "Changed",
            "Top 10 change",
            "Places replaced",
            "First place changes",
        ],
        rows=cells,
        texts=1,
        folded=True,
    )
    return [picture, table]

"""The section on which experts each task uses (PLE, Fig 8)."""

from __future__ import annotations

import itertools
from typing import Any

from feature_spec.artifacts.inspection import Gate, LevelOutputs
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import BLUE, GREY, ORANGE, figure, rows_height_px
from pipeline.report.elements.section import Cell, Note, Picture, Section, Table

_OF_KIND = {"own": BLUE, "shared": ORANGE, "another task's": GREY}


def experts_section(run: RunData) -> Section:
    """Return the section with a bar for each gate."""
    blocks: list[Any] = []
    inspection = run.insight.inspection if run.insight is not None else None
    if inspection is None:
        blocks.append(
            Note("Not computed: the run did not get so far, or was made by an older Fulcrum.")
        )
    elif not inspection.gates:
        blocks.append(
            Note(
                f"The model {inspection.model} has no gates that choose among experts; MMoE, "
                "ML-MMoE, CGC, PLE, STEM and AdaTT have."
            )
        )
    else:
        for level, gates in itertools.groupby(
            inspection.gates, key=lambda gate: gate.gate.rpartition("/")[0]
        ):
            blocks.append(_picture(level, list(gates), inspection.examples))
        blocks.append(_table(inspection.gates))
        if inspection.expert_outputs:
            blocks.append(_outputs_table(inspection.expert_outputs))
    return Section(
        anchor="experts",
        title="Which experts does each task use?",
        lead=(
            "A bar is a task's gate, cut into the mean weights that it gives to its experts: "
            "blue to the task's own ones, orange to those that tasks share, grey to other "
            "tasks' ones. Much orange means that the task lives on what others learnt; a gate "
            "with nearly all weight on one expert has collapsed onto it. An expert whose units are "
            "nearly all 0 has collapsed itself."
        ),
        blocks=blocks,
    )


def kind_of(expert: str) -> str:
    """Return whose an expert is, from the trainer's name: `own 1 of ctr` or `shared 1`."""
    return "shared" if expert.startswith("shared") else "own"


def _picture(level: str, gates: list[Gate], examples: int) -> Picture:
    names = [_reader(gate.gate) for gate in gates]
    made = figure(
        barmode="stack",
        xaxis={"range": [0, 1], "tickformat": ".0%", "title": {"text": "weight"}},
        bargap=0.35,
        showlegend=False,
    )
    made.update_yaxes(autorange="reversed", type="category")
    for position in range(max(len(gate.experts) for gate in gates)):
        experts = [
            gate.experts[position] if position < len(gate.experts) else None for gate in gates
        ]
        made.add_bar(
            orientation="h",
            x=[expert.mean if expert else None for expert in experts],
            y=names,
            marker={
                "color": [
                    _OF_KIND[_kind_for(gate.gate, expert.expert)] if expert else GREY
                    for gate, expert in zip(gates, experts, strict=True)
                ],
                "line": {"width": 1.5, "color": "rgba(255,255,255,0.9)"},
            },
            customdata=[
                [expert.expert, expert.standard_deviation] if expert else ["", 0]
                for expert in experts
            ],
            hovertemplate=(
                "<b>%{y}</b><br>%{customdata[0]}: %{x:.1%} (± %{customdata[1]:.1%} over "
                "examples)<extra></extra>"
            ),
        )
    strongest = [max(gate.experts, key=lambda expert: expert.mean) for gate in gates]
    described = "; ".join(
        f"{name} most on {expert.expert}, {expert.mean:.0%}"
        for name, expert in zip(names, strongest, strict=True)
    )
    return Picture(
        title=f"{level.replace('_', ' ')}: mean weight over {examples:,} examples".lstrip(": "),
        describes=described,
        figure=made,
        height_px=rows_height_px(len(gates), 30),
    )


def _table(gates: list[Gate]) -> Table:
    rows: list[list[str | Cell]] = [
        [
            gate.gate,
            weight.expert,
            Cell(f"{weight.mean:.3f}", share=weight.mean),
            f"{weight.standard_deviation:.3f}",
        ]
        for gate in gates
        for weight in gate.experts
    ]
    return Table(
        caption="Gate weights",
        columns=["Gate", "Expert", "Mean", "Standard deviation"],
        rows=rows,
        texts=2,
        folded=True,
    )


def _outputs_table(levels: list[LevelOutputs]) -> Table:
    rows: list[list[str | Cell]] = [
        [
            level.level,
            expert.expert,
            Cell(f"{expert.zero_share:.1%}", share=expert.zero_share),
            f"{expert.size:.3f}",
        ]
        for level in levels
        for expert in level.experts
    ]
    return Table(
        caption="Outputs of experts: share of units that are 0, and mean size",
        columns=["Level", "Expert", "Zeros", "Mean size"],
        rows=rows,
        texts=2,
        folded=True,
    )


def _reader(gate: str) -> str:
    """Return whose a gate is: `level_1/task_ctr` is ctr's."""
    name = gate.rpartition("/")[2]
    return name.removeprefix("task_" if name.startswith("task_") else "group_")


def _kind_for(gate: str, expert: str) -> str:
    if kind_of(expert) == "shared":
        return "shared"
    return "own" if expert.endswith(f" of {_reader(gate)}") else "another task's"

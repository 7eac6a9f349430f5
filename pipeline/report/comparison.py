"""The page that compares several runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.report.compared_tasks import compared_gains, compared_metrics, compared_slices
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.page import page
from pipeline.report.elements.section import Cell, Note, Section, Tab, Table
from pipeline.report.sections.calibration import calibration_section
from pipeline.report.sections.formula import changed_text
from pipeline.report.sections.training import training_section


def comparison(runs: Sequence[RunData]) -> str:
    """Return one HTML file that needs nothing else.

    Args:
        runs: at least two runs; the others are compared with the first one.
    """
    tabs = [
        Tab(anchor="tab-summary", title="Summary", sections=[_summary(runs)]),
        Tab(
            anchor="tab-tasks",
            title="Tasks",
            sections=[
                compared_metrics(runs),
                compared_gains(runs),
                compared_slices(runs),
                calibration_section(runs),
            ],
        ),
        Tab(anchor="tab-model", title="Model", sections=[training_section(runs)]),
        Tab(anchor="tab-ranking", title="Ranking", sections=[_weights(runs)]),
        Tab(anchor="tab-data", title="Data", sections=[_ingestion(runs)]),
    ]
    return page(
        title=f"{len(runs)} runs side by side",
        subtitle=", ".join(run.name for run in runs),
        outcome="",
        tabs=tabs,
        runs=runs,
    )


def _summary(runs: Sequence[RunData]) -> Section:
    tones = {"pushed": "good", "superseded": "good", "refused": "bad", "failed": "bad"}
    rows: list[list[str | Cell]] = [
        [
            run.name,
            Cell(run.outcome, tones[run.outcome]),  # type: ignore[arg-type]
            run.spec,
            run.model or "–",
            run.began_text,
            str(run.version or "–"),
            run.place or "–",
            f"{_examples(run).get('evaluation', 0):,}",
            run.failure.cause if run.failure else "; ".join(run.refusals) or "–",
        ]
        for run in runs
    ]
    blocks: list[Any] = [
        Table(
            caption="The runs",
            columns=[
                "Run",
                "Outcome",
                "Spec",
                "Model",
                "Began",
                "Version",
                "Place",
                "Evaluation examples",
                "Why not pushed",
            ],
            rows=rows,
            texts=9,
        )
    ]
    counts = {tuple(sorted(_examples(run).items())) for run in runs}
    if len(counts) > 1:
        blocks.append(
            Note(
                "The runs were not judged on the same examples, so differences between them are "
                "the data's, too.",
                "warn",
            )
        )
    if len({run.fingerprint for run in runs}) > 1:
        blocks.append(Note("The runs' specs differ in fields or tasks (fingerprint).", "warn"))
    return Section(
        anchor="summary",
        title="What the runs came to",
        lead=(
            f"Which runs were pushed, and if not, why? A row is a run; {runs[0].name}, the "
            "first, is what the others are compared with."
        ),
        blocks=blocks,
    )


def _weights(runs: Sequence[RunData]) -> Section:
    found = {
        run.name: {(row.name, row.factor): row for row in run.insight.weight_effects.effects}
        for run in runs
        if run.insight is not None
    }
    rows: list[list[str | Cell]] = []
    for name, factor in dict.fromkeys(key for of_run in found.values() for key in of_run):
        effects = [found.get(run.name, {}).get((name, factor)) for run in runs]
        cells = [
            Cell(f"{row.changed_share:.0%}", share=row.changed_share) if row else Cell("–")
            for row in effects
        ]
        rows.append([f"{name} {changed_text(factor)}", *cells])
    blocks: list[Any] = [Note("Not computed for any of these runs.")]
    if rows:
        blocks = [
            Table(
                caption="Share of lists whose top 10 change",
                columns=["Weight", *(run.name for run in runs)],
                rows=rows,
            )
        ]
    return Section(
        anchor="formula",
        title="Ranking formula",
        lead=(
            "How much does each weight of the ranking formula decide, in each run? The darker, "
            "the more lists get another candidate into their top 10 when this weight alone is "
            "changed."
        ),
        blocks=blocks,
    )


def _examples(run: RunData) -> dict[str, int]:
    return run.ingestion.examples if run.ingestion is not None else {}


def _ingestion(runs: Sequence[RunData]) -> Section:
    counted = [run.ingestion for run in runs]
    examples = [_examples(run) for run in runs]
    rejected = [counts.rejected if counts else {} for counts in counted]
    rows: list[list[str | Cell]] = [
        ["lines", *(f"{counts.lines if counts else 0:,}" for counts in counted)]
    ]
    for split in dict.fromkeys(split for counts in examples for split in counts):
        rows.append([f"examples, {split}", *(f"{counts.get(split, 0):,}" for counts in examples)])
    rows.append(
        ["rejected", *(f"{counts.rejected_share if counts else 0.0:.2%}" for counts in counted)]
    )
    for reason in dict.fromkeys(reason for counts in rejected for reason in counts):
        rows.append(
            [
                f"rejected: {reason.replace('_', ' ')}",
                *(f"{counts.get(reason, 0):,}" for counts in rejected),
            ]
        )
    return Section(
        anchor="ingestion",
        title="Ingestion",
        lead=(
            "Did the runs read the same logs? A column is a run; lines = examples of all splits "
            "+ rejected lines."
        ),
        blocks=[
            Table(
                caption="What became of every line",
                columns=["Count", *(run.name for run in runs)],
                rows=rows,
            )
        ],
    )

"""The section on what became of every line of the logs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from feature_spec.tasks.evidence import examples_text
from pipeline.ingest.accounting.accounts import other_accounts, rest_of
from pipeline.ingest.accounting.ingest_warnings import ingestion_warnings
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.report.data.run_data import RunData
from pipeline.report.elements.figure import BLUE, GREY, ORANGE, RED, figure, rows_height_px
from pipeline.report.elements.section import Cell, Note, Picture, Section, Table


def ingestion_section(run: RunData) -> Section:
    """Return the section on lines, examples, rejects, days, tasks and side tables."""
    blocks: list[Any] = []
    counts = run.ingestion
    if counts is None:
        blocks.append(Note("The run did not get through ingestion.", "warn"))
    else:
        blocks += [
            Note(f"Could not be read to its end: {file}", "bad") for file in counts.unreadable_files
        ]
        blocks += [Note(warning, "warn") for warning in ingestion_warnings(counts)]
        blocks += [Note(text) for text in (sum_text(counts), *other_accounts(counts))]
        if counts.rejected:
            blocks.append(_rejected(counts))
        if counts.steps:
            blocks.append(_steps(counts))
        if counts.records_of_day:
            blocks.append(_days(counts))
        blocks.append(_tasks(counts))
        if counts.tables:
            blocks.append(_tables(counts))
    return Section(
        anchor="ingestion",
        title="Ingestion",
        lead=(
            "What became of every line of the logs? Lines in = examples + rejected lines; "
            "nothing is lost without a reason. Look for a reason that has grown since the last "
            "run, a day with few records, and a base rate that differs between the splits. Lines "
            "of actions and of side tables have accounts of their own."
        ),
        blocks=blocks,
    )


def sum_text(counts: IngestSummary) -> str:
    """Return the sum of examples and rejected lines, which must come out."""
    rejected = sum(counts.rejected.values())
    splits = " + ".join(f"{count:,} {split}" for split, count in counts.examples.items())
    text = (
        f"{counts.lines:,} lines = {splits} + {rejected:,} rejected ({counts.rejected_share:.2%})"
    )
    return " + ".join([text, *rest_of(counts)])


def _rejected(counts: IngestSummary) -> Picture:
    reasons = sorted(counts.rejected.items(), key=lambda item: -item[1])
    names = [reason.replace("_", " ") for reason, _ in reasons]
    made = figure(xaxis={"title": {"text": "lines"}, "rangemode": "tozero"}, showlegend=False)
    made.update_yaxes(autorange="reversed", type="category")
    made.add_bar(
        orientation="h",
        x=[count for _, count in reasons],
        y=names,
        marker={"color": RED},
        text=[f"{count:,}" for _, count in reasons],
        textposition="auto",
        customdata=[count / counts.lines for _, count in reasons],
        hovertemplate="<b>%{y}</b><br>%{x:,} lines, %{customdata:.2%} of all<extra></extra>",
    )
    described = ", ".join(
        f"{name} {count:,}" for name, (_, count) in zip(names, reasons, strict=True)
    )
    return Picture(
        title="Rejected lines by reason",
        describes=described,
        figure=made,
        height_px=rows_height_px(len(reasons), 30),
    )


def _steps(counts: IngestSummary) -> Table:
    """Return the table of each step's own counts.

    With event logs, it includes the log of actions and events of neighbouring days.
    """
    of_actions = counts.actions.steps if counts.actions is not None else {}
    steps = {
        **counts.steps,
        **{f"actions: {name}": step for name, step in of_actions.items()},
    }
    parts = {
        "Received": "received",
        "Passed on": "passed",
        "Rejected": "rejected",
        "Sampled out": "sampled_out",
    }
    if any(step.of_other_days for step in steps.values()):
        parts["Of other days"] = "of_other_days"
    if any(step.warm_up for step in steps.values()):
        parts["Warm-up"] = "warm_up"
    if any(step.filtered for step in steps.values()):
        parts["Filtered"] = "filtered"
    return Table(
        caption="What each step counted for itself",
        columns=["Step", *parts],
        rows=[
            [name, *(f"{getattr(step, part):,}" for part in parts.values())]
            for name, step in steps.items()
        ],
        hints={
            "Sampled out": "Negatives that the spec leaves out of the training.",
            "Filtered": "Lines that 'where' of the spec leaves to other sources.",
            "Warm-up": "Exposures of the first days, which only add to histories.",
            "Of other days": (
                "Events of the days around that are not this day's business: read to tell whose "
                "the actions are."
            ),
        },
    )


def _days(counts: IngestSummary) -> Picture:
    made = figure(
        barmode="stack",
        xaxis={"type": "category"},
        yaxis={"title": {"text": "records"}, "rangemode": "tozero"},
    )
    splits = {day: _split_of(day, counts.evaluation_days) for day in counts.records_of_day}
    for name, colour in (("train and validation", BLUE), ("evaluation", ORANGE), (_STRAY, GREY)):
        days = {
            str(day): count for day, count in counts.records_of_day.items() if splits[day] == name
        }
        if not days and name == _STRAY:
            continue
        made.add_bar(
            x=list(days),
            y=list(days.values()),
            name=name,
            marker={"color": colour if days else GREY},
            hovertemplate="<b>%{x}</b><br>%{y:,} records<extra></extra>",
        )
    made.update_xaxes(categoryorder="array", categoryarray=list(map(str, counts.records_of_day)))
    described = ", ".join(f"{day} {count:,}" for day, count in counts.records_of_day.items())
    return Picture(
        title="Records by day of the event, duplicates included",
        describes=described,
        figure=made,
        height_px=280,
    )


_STRAY = "rejected: later than the last day"


def _split_of(day: datetime.date, evaluation: Sequence[datetime.date]) -> str:
    """Return where the records of a day went.

    A day with a handful of records counts as no day of the log: between two of its days they
    belong to the later one, and after the last they are rejected.
    """
    if not evaluation or day < min(evaluation):
        return "train and validation"
    return "evaluation" if day <= max(evaluation) else _STRAY


def _tasks(counts: IngestSummary) -> Table:
    splits = list(counts.examples)
    return Table(
        caption="Examples in each task's sample space, and their mean label",
        columns=[
            "Task",
            *(heading for split in splits for heading in (split, f"mean label, {split}")),
        ],
        rows=[
            [
                task,
                *(
                    text
                    for split in splits
                    for text in (
                        examples_text(by_split[split].examples, by_split[split].positives),
                        "–"
                        if by_split[split].label_mean is None
                        else f"{by_split[split].label_mean:.4f}",
                    )
                ),
            ]
            for task, by_split in counts.tasks.items()
        ],
    )


def _tables(counts: IngestSummary) -> Table:
    rows: list[list[str | Cell]] = []
    for name, table in counts.tables.items():
        rejected = sum(table.rejected.values())
        rows.append(
            [
                name,
                f"{table.lines:,}",
                f"{table.rows:,}",
                f"{table.repeated_keys:,}",
                Cell(f"{rejected:,}", "warn" if rejected else ""),
                Cell(
                    f"{table.examples_without_row:,}",
                    "warn" if table.examples_without_row else "",
                ),
            ]
        )
    return Table(
        caption="Side tables",
        columns=["Table", "Lines", "Rows", "Repeated keys", "Rejected", "Examples without a row"],
        rows=rows,
        hints={
            "Examples without a row": (
                "Examples whose key is missing or not in the table: their fields of it are empty."
            )
        },
    )

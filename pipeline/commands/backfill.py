"""`fulcrum backfill`."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from feature_spec.output_file import writable_file
from pipeline.commands.run_options import (
    EXIT_CODES,
    ArtifactsLocation,
    BeamOption,
    LogsLocation,
    ModelOption,
    SetOption,
    SpecOption,
    checked_options,
    ended_early,
    failed,
)

if TYPE_CHECKING:
    from pipeline.run.run_summary import RunSummary
    from pipeline.spans.span_window import SpanWindow
    from pipeline.workspace.root import Root

_DAY = ["%Y-%m-%d"]


def backfill(  # noqa: PLR0917
    spec: SpecOption,
    logs: LogsLocation,
    root: Annotated[
        Path, typer.Option(help="Folder for everything that is kept between runs.", file_okay=False)
    ],
    first: Annotated[
        datetime.datetime,
        typer.Option("--from", formats=_DAY, help="First day that judges a model."),
    ],
    last: Annotated[
        datetime.datetime, typer.Option("--to", formats=_DAY, help="Last day that judges a model.")
    ],
    model: ModelOption = None,
    set_: SetOption = None,
    artifacts: ArtifactsLocation = None,
    beam: BeamOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="File for the summaries of all days as JSON.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
) -> None:
    """Run a series of days, one after the other, as `fulcrum run --span` would on each day.

    Each day's model is trained on the days before it (the spec's spans.window_days), begins with
    the weights of the last blessed model, is judged on the day itself, and is pushed unless a task
    refuses it. At the end the metrics of all days are in a table and in ROOT/backfill.html. The
    same command continues after an interruption; run a second time, it repeats nothing.

    Exit code: 0 each day's model is blessed; 1 failed; 2 wrong usage; 3 some were refused; 130
    interrupted.

    Example: fulcrum backfill --spec short_video --logs logs --root root --from 2022-05-03 --to
    2022-05-07
    """
    from pipeline.run.backfill import backfill_windows, run_days
    from pipeline.run.local_run import console_of
    from pipeline.workspace.root import Root

    console = console_of(sys.stdout)
    try:
        checked = checked_options(spec, model=model, overrides=set_, beam=beam)
        windows = backfill_windows(checked.spec, logs, first.date(), last.date())
    except ValueError as error:
        raise failed(error) from error

    def announce(number: int, window: SpanWindow) -> None:
        console.print(
            f"{window.evaluation_day} ({number} of {len(windows)}): {window.text}",
            style="bold",
            soft_wrap=True,
        )

    with ended_early():
        place = Root.at(root)
        place.make()
        days = run_days(
            checked.spec,
            windows,
            trainer_settings=checked.trainer_settings,
            logs=logs,
            root=place,
            artifacts=artifacts,
            beam_arguments=checked.beam_arguments,
            on_start=announce,
        )
    _report(days, place, console)
    if json_file is not None:
        json_file.write_text(
            json.dumps({"days": [day.as_dict() for day in days]}, indent=2), encoding="utf-8"
        )
    raise typer.Exit(
        max(EXIT_CODES[day.status] for day in days)
        if days[-1].status != "failed"
        else EXIT_CODES["failed"]
    )


def _report(days: list[RunSummary], root: Root, console: Console) -> None:
    from pipeline.run.backfill import days_page, days_table, reused_text
    from pipeline.run.run_summary import outcome_text

    page = root.folder / "backfill.html"
    page.write_text(days_page(days), encoding="utf-8")
    console.print(days_table(days))
    for day in days:
        if day.status in ("refused", "failed") and day.span is not None:
            console.print(f"{day.span.evaluation_day}:", soft_wrap=True)
            console.print(outcome_text(day), soft_wrap=True)
    console.print(f"{reused_text(days)}; metrics over days: {page}", soft_wrap=True)

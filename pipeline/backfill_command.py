"""`fulcrum backfill`."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipeline.exit_codes import EXIT_CODES, INTERRUPTED, failed
from pipeline.place_options import ArtifactsPlace, LogsPlace

if TYPE_CHECKING:
    from pipeline.run_summary import RunSummary
    from pipeline.span_window import SpanWindow

_DAY = ["%Y-%m-%d"]


def backfill(  # noqa: PLR0917
    spec: Annotated[str, typer.Option(help="Feature spec: a YAML file, or a ready one such as short_video.")],
    logs: LogsPlace,
    root: Annotated[Path, typer.Option(help="Folder for everything that is kept between runs.", file_okay=False)],
    first: Annotated[datetime.datetime, typer.Option("--from", formats=_DAY, help="First day that judges a model.")],
    last: Annotated[datetime.datetime, typer.Option("--to", formats=_DAY, help="Last day that judges a model.")],
    model: Annotated[str | None, typer.Option(help="Model to train, in place of the spec's.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Replaces a value of the spec. May be repeated."),
    ] = None,
    artifacts: ArtifactsPlace = None,
    beam: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option for Beam, passed on unchanged. May be repeated."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the summaries of all days as JSON.", dir_okay=False)
    ] = None,
) -> None:
    """Run a series of days, one after the other, as `fulcrum run --span` would on each day.

    Each day's model is trained on the days before it (the spec's spans.window_days), begins with the weights of the last
    blessed model, is judged on the day itself, and pushed unless a task refuses it. At the end the metrics of all days stand in
    a table and in ROOT/backfill.html. The same command goes on after an interruption, and a second time it does nothing anew.

    Exit code: 0 each day's model is blessed; 1 failed; 2 wrong usage; 3 some were refused; 130 interrupted.

    Example: fulcrum backfill --spec short_video --logs logs --root root --from 2022-05-03 --to 2022-05-07
    """
    from pipeline.backfill import backfill_windows, run_days
    from pipeline.beam_options import beam_arguments
    from pipeline.local_run import console_of
    from pipeline.root import Root, RootError
    from pipeline.run_lock import RootInUseError
    from pipeline.spec_overrides import checked_trainer_settings, load_overridden_spec

    console = console_of(sys.stdout)
    try:
        feature_spec = load_overridden_spec(spec, set_ or [], model)
        settings = checked_trainer_settings(feature_spec)
        beam_options = beam_arguments(beam or [])
        windows = backfill_windows(feature_spec, logs, first.date(), last.date())
    except ValueError as error:
        raise failed(error) from error

    def announce(number: int, window: SpanWindow) -> None:
        console.print(f"{window.evaluation_day} ({number} of {len(windows)}): {window.text}", style="bold", soft_wrap=True)

    try:
        days = run_days(
            feature_spec,
            windows,
            trainer_settings=settings,
            logs=logs,
            root=Root(root.resolve()),
            artifacts=artifacts,
            beam_arguments=beam_options,
            on_start=announce,
        )
    except (RootInUseError, RootError) as error:
        raise failed(error) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
    _report(days, root, console)
    if json_file is not None:
        json_file.write_text(json.dumps({"days": [day.as_dict() for day in days]}, indent=2), encoding="utf-8")
    raise typer.Exit(max(EXIT_CODES[day.status] for day in days) if days[-1].status != "failed" else EXIT_CODES["failed"])


def _report(days: list[RunSummary], root: Path, console: Console) -> None:
    from pipeline.backfill_report import days_page, days_table, reused_text
    from pipeline.run_summary import outcome_text

    page = root / "backfill.html"
    page.write_text(days_page(days), encoding="utf-8")
    console.print(days_table(days))
    for day in days:
        if day.status in ("refused", "failed") and day.span is not None:
            console.print(f"{day.span.evaluation_day}:", soft_wrap=True)
            console.print(outcome_text(day), soft_wrap=True)
    console.print(f"{reused_text(days)}; metrics over days: {page}", soft_wrap=True)

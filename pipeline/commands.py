"""The pipeline's commands: `fulcrum run`, `backfill`, `compile`, `rejects`, `simulate`, `skew`, `report` and `compare`."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.backfill_command import backfill
from pipeline.exit_codes import EXIT_CODES, INTERRUPTED, failed
from pipeline.ingest.rejects_command import rejects
from pipeline.kubeflow.command import compile_pipeline
from pipeline.place_options import ArtifactsPlace, LogsPlace
from pipeline.report.commands import compare, report
from pipeline.simulator.command import simulate
from pipeline.skew_command import skew


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    app.command("run")(run)
    app.command("backfill")(backfill)
    app.command("compile")(compile_pipeline)
    app.command("rejects")(rejects)
    app.command("simulate")(simulate)
    app.command("skew")(skew)
    app.command("report")(report)
    app.command("compare")(compare)


def run(  # noqa: PLR0917
    spec: Annotated[str, typer.Option(help="Feature spec: a YAML file, or a ready one; `fulcrum spec list` names them.")],
    logs: LogsPlace,
    root: Annotated[Path, typer.Option(help="Folder for everything that is kept between runs.", file_okay=False)],
    model: Annotated[str | None, typer.Option(help="Model to train, in place of the spec's.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Replaces a value of the spec. May be repeated."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="First search for better settings, as the spec's section tuner says.")
    ] = False,
    with_single_task: Annotated[
        bool,
        typer.Option(
            "--with-single-task", help="Also train each task alone, and report what each gains from the others (MTL gain)."
        ),
    ] = False,
    span: Annotated[
        datetime.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day that judges the model, trained on the days before it (the spec's spans.window_days). See docs/spans.md.",
        ),
    ] = None,
    artifacts: ArtifactsPlace = None,
    beam: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option for Beam, passed on unchanged. May be repeated."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for the summary as JSON; see docs/pipeline.md.", dir_okay=False)
    ] = None,
) -> None:
    """Turn logs into a blessed model in ROOT/serving_model/<version>.

    Ingests and validates the logs, trains, judges every task on its own sample space against its threshold and against the
    latest blessed model, and serves the model on trial. Publishes it if no task refuses it and it answers rightly and in time.
    The same command goes on after an interruption; after a change it repeats only the steps that the change concerns.

    Exit code: 0 blessed, and pushed unless a version of a later day is there; 1 failed; 2 wrong usage; 3 refused;
    130 interrupted.

    Example: fulcrum run --spec short_video --logs logs --root root --model ple --set trainer.epochs=3
    """
    from pipeline.beam_options import beam_arguments
    from pipeline.local_run import console_of, run_locally
    from pipeline.root import Root, RootError
    from pipeline.run_lock import RootInUseError
    from pipeline.run_summary import print_summary
    from pipeline.span_window import span_window
    from pipeline.spec_overrides import checked_trainer_settings, load_overridden_spec

    try:
        feature_spec = load_overridden_spec(spec, set_ or [], model)
        settings = checked_trainer_settings(feature_spec)
        beam_options = beam_arguments(beam or [])
        if tune and feature_spec.tuner is None:
            raise ValueError(f"--tune: {spec} has no section 'tuner'; see docs/feature_spec.md")
        if span is None:
            feature_spec.logs.of_day(None)  # refuses a table that is one day's
        window = span_window(feature_spec, logs, span.date()) if span is not None else None
        if window is not None and with_single_task and json.loads(settings)["trainer"]["warm_start"]:
            raise ValueError(
                "--with-single-task compares networks that begin alike, and with --span the model of all tasks begins with the "
                "weights of an earlier day: add --set trainer.warm_start=false"
            )
    except ValueError as error:
        raise failed(error) from error
    try:
        summary = run_locally(
            feature_spec,
            trainer_settings=settings,
            logs=logs,
            root=Root(root.resolve()),
            artifacts=artifacts,
            beam_arguments=beam_options,
            with_single_task=with_single_task,
            tune=tune,
            window=window,
        )
    except (RootInUseError, RootError) as error:
        raise failed(error) from error
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted. The same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from None
    print_summary(summary, console_of(sys.stdout))
    if json_file is not None:
        json_file.write_text(json.dumps(summary.as_dict(), indent=2), encoding="utf-8")
    raise typer.Exit(EXIT_CODES[summary.status])

"""`fulcrum run`."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from feature_spec.output_file import writable_file
from pipeline.commands.run_options import (
    EXIT_CODES,
    ArtifactsLocation,
    BeamOption,
    LogsLocation,
    ModelOption,
    SetOption,
    SpecOption,
    TuneOption,
    WithSingleTaskOption,
    checked_options,
    ended_early,
    failed,
)


def run(  # noqa: PLR0917
    spec: SpecOption,
    logs: LogsLocation,
    root: Annotated[
        Path, typer.Option(help="Folder for everything that is kept between runs.", file_okay=False)
    ],
    model: ModelOption = None,
    set_: SetOption = None,
    tune: TuneOption = False,
    with_single_task: WithSingleTaskOption = False,
    span: Annotated[
        datetime.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help=(
                "Day that judges the model, trained on the days before it (the spec's "
                "spans.window_days). See docs/spans.md."
            ),
        ),
    ] = None,
    artifacts: ArtifactsLocation = None,
    beam: BeamOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="File for the summary as JSON; see docs/pipeline.md.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
) -> None:
    """Turn logs into a blessed model in ROOT/serving_model/<version>.

    Ingests and validates the logs, trains, judges every task on its own sample space against its
    threshold and against the latest blessed model, and serves the model on trial. Publishes the
    model if no task refuses it and it answers rightly and in time. The same command continues after
    an interruption; after a change it repeats only the steps that the change concerns.

    Exit code: 0 blessed, and pushed unless a version of a later day is there; 1 failed; 2 wrong
    usage; 3 refused; 130 interrupted.

    Example: fulcrum run --spec short_video --logs logs --root root --model ple --set
    trainer.epochs=3
    """
    from pipeline.run.local_run import console_of, run_locally
    from pipeline.run.run_summary import print_summary
    from pipeline.spans.span_window import span_window
    from pipeline.workspace.root import Root

    try:
        checked = checked_options(spec, model=model, overrides=set_, beam=beam, tune=tune)
        if span is None:
            checked.spec.logs.of_day(None)  # refuses a table that is one day's
        window = span_window(checked.spec, logs, span.date()) if span is not None else None
        if (
            window is not None
            and with_single_task
            and json.loads(checked.trainer_settings)["trainer"]["warm_start"]
        ):
            raise ValueError(
                "--with-single-task compares networks that begin alike, and with --span the "
                "model of all tasks begins with the weights of an earlier day: add --set "
                "trainer.warm_start=false"
            )
    except ValueError as error:
        raise failed(error) from error
    with ended_early():
        summary = run_locally(
            checked.spec,
            trainer_settings=checked.trainer_settings,
            logs=logs,
            root=Root.at(root),
            artifacts=artifacts,
            beam_arguments=checked.beam_arguments,
            with_single_task=with_single_task,
            tune=tune,
            window=window,
        )
    print_summary(summary, console_of(sys.stdout))
    if json_file is not None:
        json_file.write_text(json.dumps(summary.as_dict(), indent=2), encoding="utf-8")
    raise typer.Exit(EXIT_CODES[summary.status])

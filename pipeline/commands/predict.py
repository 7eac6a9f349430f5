"""`fulcrum predict`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_spec.output_file import writable_file

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.predict.predictions import Predictions


def predict(
    *,
    model: Annotated[
        Path,
        typer.Option(
            help="A pipeline root, whose newest pushed model is taken, or a model's folder.",
            exists=True,
            file_okay=False,
        ),
    ],
    spec: Annotated[
        str | None,
        typer.Option(
            help="With --logs, the feature spec that says where the logs are and what they hold: a "
            "YAML file, or a ready one. (The spec in a model does not know the logs.)",
            show_default=False,
        ),
    ] = None,
    logs: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that the spec's log paths are relative to, or its URI: every usable line "
            "is scored.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="In place of --logs, gzipped TFRecords of ingested examples: a file, or a quoted "
            "glob. May be repeated. By default the newest evaluation split of the root.",
            show_default=False,
        ),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A field to write, too, as column field_NAME. May be repeated.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Parquet file to write.", dir_okay=False, callback=writable_file),
    ] = Path("predictions.parquet"),
) -> None:
    """Score a log, or ingested examples, into a Parquet file for comparisons of your own.

    A row has the keys of an example, its split, label, mask and score of each task, and the ranking
    score. A label is null outside the sample space of its task. No negative is sampled out, and
    scores are those of the served model.

    Example: fulcrum predict --model runs/first --spec my.yaml --logs logs --out scores.parquet
    """
    from rich.console import Console

    from feature_spec.loading import load_spec
    from pipeline.commands.run_options import beam_arguments, failed
    from pipeline.predict import prediction
    from pipeline.run.local_run import console_of
    from pipeline.workspace.capture_output import capture_output

    try:
        if logs is not None and examples:
            raise ValueError("give --logs or --examples, not both")
        if (logs is None) != (spec is None):
            raise ValueError("--logs needs --spec, and --spec needs --logs")
        with tempfile.TemporaryDirectory() as scratch, capture_output(Path(scratch) / "log"):
            found = prediction.predict(
                model,
                out=out,
                spec=load_spec(spec) if spec is not None else None,
                logs=logs,
                examples=examples or [],
                fields=field or [],
                beam_arguments=beam_arguments([]),
            )
    except (ValueError, OSError) as error:
        raise failed(error) from error
    console: Console = console_of(sys.stdout)
    console.print(_table(found))
    console.print(_account(found), soft_wrap=True, highlight=False)
    console.print(f"wrote {out} with {found.model}", soft_wrap=True, highlight=False)


def _account(found: Predictions) -> str:
    splits = ", ".join(
        f"{split or 'no split'} {count:,}" for split, count in sorted(found.splits.items())
    )
    rows = f"{found.rows:,} predictions ({splits})"
    summary = found.ingested
    if summary is None:
        return rows
    rejected = ", ".join(f"{reason} {count:,}" for reason, count in summary.rejected.items())
    totals = summary.totals
    others = {"warm_up": "of the warm-up", "filtered": "left out by 'where'"}
    rest = "".join(f" + {totals[key]:,} {what}" for key, what in others.items() if key in totals)
    return (
        f"{summary.lines:,} lines = {rows} + {totals['rejected']:,} rejected"
        f"{f' ({rejected})' if rejected else ''}{rest}"
    )


def _table(found: Predictions) -> Table:
    from rich.table import Table

    table = Table("task")
    for heading in ("examples", "positives", "mean label", "mean score"):
        table.add_column(heading, justify="right")
    for name, task in found.tasks.items():
        means = (task.label_mean, task.score_mean)
        table.add_row(
            name,
            f"{task.examples:,}",
            f"{task.positives:,}",
            *("–" if mean is None else f"{mean:.5g}" for mean in means),
        )
    return table

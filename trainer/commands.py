"""`fulcrum models`: what can be trained; `inspect`: what a trained model learnt; `train-worker`: helps to train."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Registers the commands of this package."""
    app.command("models")(models)
    app.command("inspect")(inspect)
    app.command("train-worker")(train_worker)


def models(
    name: Annotated[str | None, typer.Argument(help="A model, to read what its settings mean.", show_default="all")] = None,
) -> None:
    """Print the models, each with its paper and its settings, for `fulcrum run --model NAME --set model.SETTING=VALUE`.

    Example: fulcrum models ple
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from feature_spec.strict_model import closest_names
    from trainer.model_settings import MODELS

    if name is None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
        for heading in ("model", "what it is", "settings and defaults"):
            table.add_column(heading)
        for model, settings in MODELS.items():
            defaults = ", ".join(f"{key}={value}" for key, value in settings().model_dump().items())
            table.add_row(model, (settings.__doc__ or "").splitlines()[0], defaults)
        Console().print(table)
    elif name in MODELS:
        for kind in [MODELS[name], *(base for base in MODELS[name].__mro__ if base.__name__ == "ModelSettings")]:
            typer.echo(f"{kind.__doc__}\n")
    else:
        typer.echo(f"no such model {name!r}: {closest_names(name, MODELS)}", err=True)
        raise typer.Exit(1)


def inspect(
    model: Annotated[
        Path, typer.Option(help="A pipeline root, whose newest pushed model is taken, or a model's folder.", exists=True)
    ],
    examples: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Gzipped TFRecords of ingested examples: a file, or a quoted glob. May be repeated. "
            "By default the newest evaluation split of the root.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all numbers as JSON.", dir_okay=False)] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="File for pictures: one page of HTML.", dir_okay=False)
    ] = None,
) -> None:
    """Show what a trained model learnt: how tasks weigh experts, choose fields, open connections and mix layers.

    Gate weights of MMoE, ML-MMoE, CGC and PLE, and field masks of MSSM, are averaged over examples; gates of connections (SNR,
    MSSM) and coefficients (cross-stitch, sluice) are as they are. The other models have nothing to show.

    Example: fulcrum inspect --model root --html inside.html
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich.console import Console

    from trainer.exported_model import ExportedModelError
    from trainer.inspected_model import inspect_model
    from trainer.inspection_report import print_inspection

    try:
        inspection = inspect_model(model, examples or [])
        if json_file:
            json_file.write_text(inspection.model_dump_json(indent=1), encoding="utf-8")
        if html_file:
            from trainer.inspection_pictures import as_html

            html_file.write_text(as_html(inspection), encoding="utf-8")
    except (ExportedModelError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    # Where there is no terminal whose width could be asked for, the widest table should fit.
    print_inspection(inspection, Console(width=None if sys.stdout.isatty() else 140))


def train_worker(
    root: Annotated[
        Path, typer.Option(help="The chief's pipeline root, on a file system that all workers share.", file_okay=False)
    ],
    wait_s: Annotated[float, typer.Option(help="How long to wait for the chief to come to training.", min=0)] = 3600.0,
) -> None:
    """Help the chief to train, on this machine, as the worker that the environment variable TF_CONFIG names.

    The chief is `fulcrum run --set trainer.strategy=multi_worker` on the same root. Each step's batch is shared out over all
    workers; the chief keeps checkpoints and exports the model. If a worker is lost, all end with exit code 1: let a supervisor
    start them again, and they go on after the last finished epoch.

    Exit code: 0 the training has ended; 1 it failed, a worker was lost, or there was nothing to train.

    Example, on host2: export TF_CONFIG='{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker",
    "index": 1}}' and then fulcrum train-worker --root /shared/root
    """
    import logging

    from feature_spec import names
    from trainer.cluster import ClusterError, parse_cluster
    from trainer.training_job import NoJobError, awaited_job

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("fulcrum").setLevel(logging.INFO)
    try:
        cluster = parse_cluster(os.environ.get("TF_CONFIG"))
        if cluster.is_chief:
            raise ClusterError(f"TF_CONFIG makes this the chief ({cluster.name}), which is `fulcrum run`")
        typer.echo(f"{cluster.name}: waits for the chief's training in {root}")
        job = awaited_job(root.resolve() / names.CHECKPOINTS, wait_s)
    except (ClusterError, NoJobError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error

    from trainer.early_stopping import CheckpointsNotSharedError
    from trainer.lost_worker import WorkerLostError
    from trainer.training import OtherJobError, train

    try:
        train(job, cluster)
    except (WorkerLostError, OtherJobError, CheckpointsNotSharedError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("the training has ended; the chief exports the model")

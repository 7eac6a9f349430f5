"""`fulcrum models`: what can be trained; `inspect`: what was learnt; `tune-formula`: how to weigh it; `train-worker`: helps."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def add_to(app: typer.Typer) -> None:
    """Registers the commands of this package."""
    app.command("models")(models)
    app.command("inspect")(inspect)
    app.command("tune-formula")(tune_formula)
    app.command("train-worker")(train_worker)


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="A model, to read what its settings mean.", show_default="all"),
    ] = None,
) -> None:
    """Print the models, each with its paper and its settings, for `fulcrum run --model NAME --set model.SETTING=VALUE`.

    Example: fulcrum models ple
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from feature_spec.strict_model import closest_names
    from trainer.settings.model_config import MODELS

    if name is None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
        for heading in ("model", "what it is", "settings and defaults"):
            table.add_column(heading)
        for model, settings in MODELS.items():
            defaults = ", ".join(f"{key}={value}" for key, value in settings().model_dump().items())
            table.add_row(model, (settings.__doc__ or "").splitlines()[0], defaults)
        Console().print(table)
    elif name in MODELS:
        for kind in [
            MODELS[name],
            *(base for base in MODELS[name].__mro__ if base.__name__ == "ModelSettings"),
        ]:
            typer.echo(f"{kind.__doc__}\n")
    else:
        typer.echo(f"no such model {name!r}: {closest_names(name, MODELS)}", err=True)
        raise typer.Exit(1)


_Examples = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Gzipped TFRecords of ingested examples: a file, or a quoted glob. May be repeated. "
        "By default the newest evaluation split of the root.",
        show_default=False,
    ),
]


def inspect(
    model: Annotated[
        Path,
        typer.Option(
            help="A pipeline root, whose newest pushed model is taken, or a model's folder.",
            exists=True,
        ),
    ],
    examples: _Examples = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for all numbers as JSON.", dir_okay=False)
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", help="File for pictures: one page of HTML.", dir_okay=False),
    ] = None,
) -> None:
    """Show what a trained model learnt: how tasks weigh experts, choose fields, open connections and mix layers.

    Gate weights of MMoE, ML-MMoE, CGC and PLE, and field masks of MSSM, are averaged over examples;
    gates of connections (SNR, MSSM) and coefficients (cross-stitch, sluice) are as they are. The
    other models have nothing to show.

    Example: fulcrum inspect --model root --html inside.html
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich.console import Console

    from trainer.inspect.collect import inspect_model
    from trainer.inspect.exported_model import ExportedModelError
    from trainer.inspect.inspection_report import print_inspection

    try:
        inspection = inspect_model(model, examples or [])
        if json_file:
            json_file.write_text(inspection.model_dump_json(indent=1), encoding="utf-8")
        if html_file:
            from trainer.inspect.inspection_pictures import as_html

            html_file.write_text(as_html(inspection), encoding="utf-8")
    except (ExportedModelError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    # Where there is no terminal whose width could be asked for, the widest table should fit.
    print_inspection(inspection, Console(width=None if sys.stdout.isatty() else 140))


def tune_formula(
    *,
    model: Annotated[
        Path,
        typer.Option(
            help="A pipeline root, whose newest pushed model is taken, or a model's folder.",
            exists=True,
        ),
    ],
    objective: Annotated[
        list[str],
        typer.Option(
            metavar="TASK",
            help="A task whose observed labels the first places should hold more of, or TASK*duration: watch time, where the "
            "task is the watched share. May be repeated.",
        ),
    ],
    examples: _Examples = None,
    group_by: Annotated[
        Literal["auto", "request", "user_day", "user"],
        typer.Option(
            help="Which exposures compete. auto: those of a request, else of a user's day, else of a user."
        ),
    ] = "auto",
    top_k: Annotated[int, typer.Option(help="Ranks whose labels count.", min=1)] = 10,
    discount: Annotated[
        Literal["log2", "none"], typer.Option(help="Of rank r: 1/log2(1 + r), as in NDCG, or none.")
    ] = "log2",
    trials: Annotated[
        int, typer.Option(help="Weights to try, the current ones among them.", min=2)
    ] = 500,
    highest_weight: Annotated[
        float | None,
        typer.Option(
            help="Bound of every weight.",
            min=0.001,
            show_default="twice the largest of the current weights and 1",
        ),
    ] = None,
    held_out_share: Annotated[
        float,
        typer.Option(
            help="Share of the users on which the differences are measured, and nothing is chosen.",
            min=0.01,
            max=0.99,
        ),
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal results.", min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the found formula, for `fulcrum rank --formula`, or the spec.",
            dir_okay=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for all numbers as JSON.", dir_okay=False)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="File for a picture of the Pareto front, .png, .svg or .pdf.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Search for weights of the ranking formula that would have put more of the objectives first.

    The model scores logged exposures once. Each weighting tried then reorders the exposures of a
    group, and what the first places hold is summed. Weights are chosen on one part of the users,
    differences to the current formula measured on the others. Of the Pareto front, the point is
    chosen whose smallest relative gain over the objectives is largest.

    Example: fulcrum tune-formula --model runs/first --objective "vcr*duration" --objective shr
    --out formula.yaml
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from feature_spec.loading import SpecError, formula_text
    from trainer.formula_search.formula_search import SearchSettings, tune
    from trainer.formula_search.front_picture import check_picture, save_front
    from trainer.formula_search.objective import FormulaSearchError
    from trainer.formula_search.search_report import print_search
    from trainer.inspect.exported_model import ExportedModelError

    settings = SearchSettings(
        group_by=group_by, top_k=top_k, discount=discount, trials=trials,
        held_out_share=held_out_share, highest_weight=highest_weight, seed=seed,
    )  # fmt: skip
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        if picture:
            check_picture(picture, len(set(objective)))
        with Progress(*columns, console=Console(stderr=True)) as progress:
            scored, tried = (
                progress.add_task("exposures scored", total=None),
                progress.add_task("weights tried", total=trials),
            )
            found = tune(
                model, objective, examples or [], settings,
                scored=lambda count: progress.advance(scored, count), tried=lambda: progress.advance(tried),
            )  # fmt: skip
        if out:
            source = f"Found by `fulcrum tune-formula` for {', '.join(objective)}, with {found.folder}. In place of:"
            current = ", ".join(f"{name} {weight:g}" for name, weight in found.current.items())
            out.write_text(formula_text(found.formula, source, current), encoding="utf-8")
        if json_file:
            json_file.write_text(found.model_dump_json(indent=1), encoding="utf-8")
        if picture:
            save_front(picture, found)
    except (ExportedModelError, FormulaSearchError, SpecError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    print_search(found, Console(width=None if sys.stdout.isatty() else 140))


def train_worker(
    root: Annotated[
        Path,
        typer.Option(
            help="The chief's pipeline root, on a file system that all workers share.",
            file_okay=False,
        ),
    ],
    wait_s: Annotated[
        float, typer.Option(help="How long to wait for the chief to come to training.", min=0)
    ] = 3600.0,
) -> None:
    """Help the chief to train, on this machine, as the worker that the environment variable TF_CONFIG names.

    The chief is `fulcrum run --set trainer.strategy=multi_worker` on the same root. Each step's
    batch is shared out over all workers; the chief keeps checkpoints and exports the model. If a
    worker is lost, all end with exit code 1: let a supervisor start them again, and they go on
    after the last finished epoch.

    Exit code: 0 the training has ended; 1 it failed, a worker was lost, or there was nothing to
    train.

    Example, on host2: export TF_CONFIG='{"cluster": {"worker": ["host1:2222", "host2:2222"]},
    "task": {"type": "worker", "index": 1}}' and then fulcrum train-worker --root /shared/root
    """
    import logging

    from feature_spec import names
    from trainer.distribute.cluster import ClusterError, parse_cluster
    from trainer.inputs.training_job import NoJobError, awaited_job

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("fulcrum").setLevel(logging.INFO)
    try:
        cluster = parse_cluster(os.environ.get("TF_CONFIG"))
        if cluster.is_chief:
            raise ClusterError(
                f"TF_CONFIG makes this the chief ({cluster.name}), which is `fulcrum run`"
            )
        typer.echo(f"{cluster.name}: waits for the chief's training in {root}")
        job = awaited_job(root.resolve() / names.CHECKPOINTS, wait_s)
    except (ClusterError, NoJobError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error

    from trainer.distribute.worker_failure import WorkerLostError
    from trainer.fit.early_stopping import CheckpointsNotSharedError
    from trainer.fit.training import OtherJobError, train

    try:
        train(job, cluster)
    except (WorkerLostError, OtherJobError, CheckpointsNotSharedError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("the training has ended; the chief exports the model")

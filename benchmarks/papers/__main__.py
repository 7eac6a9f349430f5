"""The command `python -m benchmarks.papers`, which prints tables like those of the papers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.worker import FOLDER, machine

SYNTHETIC = "synthetic"
# The width of the tables where no terminal gives a width.
_WIDTH_OF_FILES = 300


def main(
    *,
    dataset: Annotated[
        str,
        typer.Option(
            help="census, kuairand, kuairand_histories, simulated, ali_ccp, ijcai15 or synthetic."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the data set's official files, or of `fulcrum simulate`.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    models: Annotated[
        str,
        typer.Option(
            help="Some with commas between them, or `all`: the registry's and variants of some."
        ),
    ] = "all",
    tasks: Annotated[
        str,
        typer.Option(
            help="Some of the spec's tasks, with commas between them.",
            show_default="the data set's own",
        ),
    ] = "",
    settings: Annotated[
        str,
        typer.Option(help="Settings that models choose from: slow, fast or both, with a comma."),
    ] = "slow,fast",
    seeds: Annotated[int, typer.Option(help="Trainings of each model.", min=1)] = 5,
    rows: Annotated[
        int,
        typer.Option(
            help="Synthetic examples at each correlation; PLE's paper has 1,400,000.", min=1000
        ),
    ] = 100_000,
    correlations: Annotated[
        list[float] | None,
        typer.Option(
            "--correlation",
            help="Of the synthetic tasks; repeatable.",
            show_default="PLE's five",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    boosting: Annotated[
        bool, typer.Option(help="Whether gradient boosting takes part, on logs.")
    ] = True,
    jobs: Annotated[int, typer.Option(help="Processes that train at a time.", min=1)] = 2,
    work: Annotated[
        Path,
        typer.Option(
            help="Keeps preprocessed data and finished trainings: a second call goes on there.",
            file_okay=False,
        ),
    ] = FOLDER / "papers",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures here too.", dir_okay=False)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Draw the MTL gains on synthetic data here, as SVG or PNG.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Compare the models on one data set, with the same preprocessing and tuning budget.

    Each model tries the same settings with its first seed and keeps the one that is best on the
    validation part. Then it is trained with all seeds. The labels of the test part are read once,
    for the tables.

    Example: python -m benchmarks.papers --dataset kuairand --data kuairand_pure --models ple,mmoe
    --seeds 3
    """
    from benchmarks.papers.contenders import chosen_contenders, chosen_settings
    from benchmarks.papers.data_sets.sources import SOURCES
    from benchmarks.papers.data_sets.synthetic import CORRELATIONS
    from benchmarks.papers.study import Study
    from benchmarks.papers.tables import draw_gains, tables
    from feature_spec.strict_model import closest_names

    names = [*SOURCES, SYNTHETIC]
    folder = (work / dataset).resolve()
    try:
        if dataset not in names:
            raise ValueError(
                f"--dataset: no such data set {dataset!r}: {closest_names(dataset, names)}"
            )
        if picture and dataset != SYNTHETIC:
            raise ValueError(
                "--picture draws the gains on synthetic data: it needs --dataset synthetic"
            )
        contenders, choices = chosen_contenders(models), chosen_settings(settings)
        chosen_tasks = [name.strip() for name in tasks.split(",") if name]
        if dataset == SYNTHETIC:
            study = Study.of_synthetic_data(folder, rows, correlations or CORRELATIONS)
        elif data is None:
            raise ValueError(f"--dataset {dataset} needs --data, the folder of its official files")
        else:
            study = Study.of_logs(SOURCES[dataset], data.resolve(), folder, chosen_tasks, boosting)
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_FILES)
    report: dict[str, Any] = {"dataset": dataset, "machine": machine(), "seeds": seeds}
    report |= study.report(contenders, choices, range(1, seeds + 1), jobs, console)
    for table in tables(report):
        console.print(table, "")
    if json_file:
        json_file.write_text(json.dumps(report, indent=2), encoding="utf-8")
    if picture:
        draw_gains(report, picture)


app = typer.Typer(add_completion=False)
app.command()(main)

if __name__ == "__main__":
    app(prog_name="python -m benchmarks.papers")

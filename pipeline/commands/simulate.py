"""`fulcrum simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


def simulate(  # noqa: PLR0917
    out: Annotated[
        Path,
        typer.Option(help="Folder for the logs: new, empty, or written by this command before."),
    ],
    days: Annotated[
        int, typer.Option(help="Days of logs, at least 2; the last one judges the model.")
    ] = 8,
    rows_per_day: Annotated[int, typer.Option(help="Lines of each day's log.")] = 12_500,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files, byte by byte.")] = 0,
    malformed_share: Annotated[
        float,
        typer.Option(
            help="Share of lines to spoil, in ten ways, from 0 to below 1; see docs/simulator.md."
        ),
    ] = 0.0,
    event_logs: Annotated[
        bool,
        typer.Option(
            "--event-logs",
            help=(
                "Write impressions and actions as two streams of events, for the ready spec "
                "short_video_events."
            ),
        ),
    ] = False,
) -> None:
    """Write short-video logs whose true probabilities are known.

    The logs fit the ready spec `short_video`. Below `truth/` lie the true probabilities of each
    row, which the pipeline does not read, and the best metrics that any model can reach, with
    histories and without.

    Example: fulcrum simulate --out logs --days 8 --rows-per-day 12500 --seed 1 --malformed-share
    0.05
    """
    from pipeline.simulator.best_metrics import METRICS, WITHOUT_HISTORY
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    console = Console()
    columns = (
        TextColumn("simulating days"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    try:
        settings = SimulationSettings(
            days=days,
            rows_per_day=rows_per_day,
            seed=seed,
            malformed_share=malformed_share,
            event_logs=event_logs,
        )
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("days", total=days)
            summary = simulate_logs(settings, out, on_day=lambda: progress.advance(bar))
    except (ValueError, OSError) as error:
        Console(stderr=True).print(
            f"Error: {error}", style="red", soft_wrap=True, markup=False, highlight=False
        )
        raise typer.Exit(1) from error

    console.print(
        f"{summary.rows:,} exposures in {out}, {summary.usable_rows:,} of them usable",
        soft_wrap=True,
    )
    table = Table(
        *("task", "metric", "last day", "without history", "all days", "without history"),
        title="Best that any model can reach",
    )
    parts = [part + known for part in ("evaluation", "all") for known in ("", WITHOUT_HISTORY)]
    for task, metric in METRICS.items():
        values = [summary.best_metrics[part][task] for part in parts]
        table.add_row(
            task, metric, *("undefined" if value is None else f"{value:.4f}" for value in values)
        )
    console.print(table)
    if summary.malformed:
        spoilt = Table("malformed", "lines")
        for kind, count in sorted(summary.malformed.items()):
            spoilt.add_row(kind, f"{count:,}")
        console.print(spoilt)

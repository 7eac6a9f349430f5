"""The training speed of PLE, beside public peers, bare matrix products and the other models.

    python -m benchmarks.train_speed              # prints a table for each batch size
    python -m benchmarks.train_speed --json FILE

A run takes about 40 minutes on 2 cores, plus the installation of the peers. Each system runs in
a process of its own. Peers run in throw-away environments, installed from the package registry.
The systems take turns within a run and the median counts, because machines are noisy.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.environments import python_of
from benchmarks.ple_workload import EXPERT_UNITS, VALUES
from benchmarks.worker import machine, measure
from trainer.settings.model_config import MODELS

PEERS = ("deepctr", "torch_rechub")
MANY_VALUES = 50
# The sizes of the MSSM paper.
SMALL_UNITS, SMALL_BATCH = 32, 256
FIGURES = ("rows_per_s", "peak_memory_bytes", "input_wait_rate")

console = Console(highlight=False)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    repetitions: Annotated[
        int, typer.Option(help="Turns of each system; the median counts.", min=1)
    ] = 5,
    batch_sizes: Annotated[
        list[int] | None,
        typer.Option(
            "--batch-size", help="Repeatable.", show_default="512, 4096, and 256 with small experts"
        ),
    ] = None,
    peers: Annotated[bool, typer.Option(help="Whether DeepCTR and torch-rechub take part.")] = True,
    rows: Annotated[
        int, typer.Option(help="Rows that each turn trains on, after as many to warm up.", min=1)
    ] = 120_000,
    models: Annotated[
        bool, typer.Option(help="Whether every model of the registry takes part.")
    ] = True,
) -> None:
    """Measure the training speed of PLE and print it beside the speed of its peers."""
    sizes = [(size, EXPERT_UNITS) for size in batch_sizes or [512, 4096]]
    if not batch_sizes:
        sizes.append((SMALL_BATCH, SMALL_UNITS))
    pythons = {peer: python_of(peer) for peer in PEERS} if peers else {}
    report = []
    for batch_size, units in sizes:
        size = (batch_size, max(rows // batch_size, 10), units)
        runs = {
            "fulcrum": worker("fulcrum", "in_memory", *size, VALUES, "ple"),
            f"fulcrum, {MANY_VALUES} × the values": worker(
                "fulcrum", "in_memory", *size, MANY_VALUES * VALUES, "ple"
            ),
            "fulcrum, from files": worker("fulcrum", "from_records", *size, VALUES),
            "fulcrum, dense part alone": worker("fulcrum", "dense_part", *size, VALUES),
            "matrix products alone": worker("matrix_products", *size),
        }
        runs |= {
            peer: worker(f"{peer}_ple", *size, VALUES, python=python)
            for peer, python in pythons.items()
        }
        if models and (batch_size, units) == sizes[0]:
            runs |= {
                f"fulcrum, {name}": worker("fulcrum", "in_memory", *size, VALUES, name)
                for name in MODELS
                if name != "ple"
            }
        figures = medians(runs, repetitions, batch_size)
        report.append({"batch_size": batch_size, "expert_units": units, "systems": figures})
        console.print(table(batch_size, units, figures))
    if json_file:
        json_file.write_text(
            json.dumps(
                {"machine": machine(), "repetitions": repetitions, "sizes": report}, indent=2
            )
        )


def worker(script: str, *arguments: object, python: Path | None = None) -> list[str]:
    """Return the command that runs one repetition of a system."""
    return [str(python or sys.executable), "-m", f"benchmarks.peers.{script}", *map(str, arguments)]


def medians(
    runs: dict[str, list[str]], repetitions: int, batch_size: int
) -> dict[str, dict[str, float]]:
    """Run the systems in turns and return, by system, the median of each figure in `FIGURES`."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for repetition in range(repetitions):
        for name, command in runs.items():
            console.print(
                f"[dim]batch {batch_size}, turn {repetition + 1} of {repetitions}: {name}[/dim]"
            )
            measured[name].append(measure(command))
    return {
        name: {
            figure: statistics.median(turn[figure] for turn in turns)
            for figure in FIGURES
            if figure in turns[0]
        }
        for name, turns in measured.items()
    }


def table(batch_size: int, units: int, figures: dict[str, dict[str, float]]) -> Table:
    """Return a table of the figures by system, with how many times as fast Fulcrum's PLE is."""
    result = Table(
        title=f"PLE, batch {batch_size}, experts of {units} units: {machine()}",
        title_justify="left",
    )
    result.add_column("system", no_wrap=True)
    result.add_column("rows a second", justify="right")
    result.add_column("Fulcrum's, times", justify="right")
    result.add_column("waits for input", justify="right")
    result.add_column("peak memory", justify="right")
    for name, of_system in figures.items():
        rate, wait = of_system["rows_per_s"], of_system.get("input_wait_rate")
        times = f"{figures['fulcrum']['rows_per_s'] / rate:.2f}"
        waits = "" if wait is None else f"{wait:.1%}"
        result.add_row(
            name, f"{rate:,.0f}", times, waits, f"{of_system['peak_memory_bytes'] / 1e9:.1f} GB"
        )
    return result


if __name__ == "__main__":
    typer.run(main)

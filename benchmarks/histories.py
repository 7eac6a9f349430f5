"""What histories cost: ingestion with 4 counts and 1 sequence beside ingestion without.

    python -m benchmarks.histories                        # about 15 minutes on 2 cores
    python -m benchmarks.histories --rows 100000 --json FILE

Both read the same simulated exposures, each in a process of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.worker import FOLDER, machine, measure

DAYS = 8
SIZES = (1_000_000, 5_000_000)
console = Console(highlight=False)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    rows: Annotated[
        list[int] | None, typer.Option(help="Repeatable.", show_default=str(SIZES))
    ] = None,
) -> None:
    """Measure the rows a second and the peak memory of ingestion with and without histories."""
    report = []
    table = Table("rows", "histories", "rows/s", "CPU s", "peak GB")
    for size in rows or SIZES:
        logs = simulated(size)
        figures = {way: ingested(logs, way) for way in ("without", "with")}
        report.append({"rows": size, **figures})
        cells = {way: _cells(of_way) for way, of_way in figures.items()}
        for way, of_way in cells.items():
            table.add_row(f"{size:,}", way, *(f"{number:,.2f}" for number in of_way))
        ratios = [after / before for before, after in zip(*cells.values(), strict=True)]
        table.add_row("", "ratio", *(f"{ratio:.2f}" for ratio in ratios), end_section=True)
    console.print(table)
    if json_file:
        json_file.write_text(json.dumps({"machine": machine(), "sizes": report}, indent=2))


def simulated(rows: int) -> Path:
    """Return the folder of simulated exposures, which are written once."""
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    folder = FOLDER / f"histories_{rows}"
    if not (folder / "complete").exists():
        console.print(f"[dim]simulating {rows:,} rows[/dim]")
        simulate_logs(SimulationSettings(days=DAYS, rows_per_day=rows // DAYS, seed=1), folder)
        (folder / "complete").touch()
    return folder


def ingested(logs: Path, way: str) -> dict[str, Any]:
    """Ingest once, `with` or `without` histories, and return the figures."""
    console.print(f"[dim]ingesting {logs.name} {way} histories[/dim]")
    with tempfile.TemporaryDirectory(dir=FOLDER) as out:
        module = "benchmarks.ingest_systems.histories_pass"
        return measure([sys.executable, "-m", module, str(logs), out, way])["work"]


def _cells(figures: dict[str, Any]) -> list[float]:
    """Return rows a second, CPU seconds and peak memory in GB."""
    rate = figures["rows"] / figures["elapsed_s"]
    return [rate, figures["cpu_s"], figures["peak_memory_bytes"] / 1e9]


if __name__ == "__main__":
    typer.run(main)

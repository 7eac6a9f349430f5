"""The speed of ingestion, beside TFX's CsvExampleGen, pandas, DuckDB and Beam with nothing to do.

    python -m benchmarks.ingest                 # a table for each size; about 45 minutes on 2 cores
    python -m benchmarks.ingest --json FILE --rows 100000

All systems read the same simulated exposures, as JSON lines, as CSV or as event logs. Each system
runs in a process of its own. DuckDB runs in a throw-away environment, installed from the package
registry.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.environments import python_of
from benchmarks.worker import FOLDER, machine, measure

DAYS = 8
SIZES = (100_000, 1_000_000, 5_000_000)
# Systems that pass each row as an element of its own are slow, at the same rate for all sizes.
MOST_ROWS = {"CsvExampleGen": 1_000_000, "Beam, a line an element": 1_000_000}
Figures = dict[str, dict[str, float]]

console = Console(highlight=False)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    rows: Annotated[
        list[int] | None, typer.Option(help="Repeatable.", show_default=str(SIZES))
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option(help="Only these systems. Repeatable.")
    ] = None,
    repetitions: Annotated[
        int, typer.Option(help="Turns of each system; the median counts.", min=1)
    ] = 1,
) -> None:
    """Measure the rows a second and the peak memory of ingestion and its peers."""
    report = []
    for size in rows or SIZES:
        logs = simulated(size)
        figures: Figures = {}
        for name, command in commands(logs, size).items():
            if size <= MOST_ROWS.get(name, size) and name in (system or [name]):
                console.print(f"[dim]{size:,} rows: {name}[/dim]")
                figures |= medians(name, command, repetitions)
        report.append({"rows": size, "systems": figures})
        console.print(table(size, figures))
    if json_file:
        json_file.write_text(
            json.dumps(
                {"machine": machine(), "repetitions": repetitions, "sizes": report}, indent=2
            )
        )


def commands(logs: Path, rows: int) -> dict[str, list[str]]:
    """Return the command of each system, in which `{out}` stands for a new folder."""

    def of_tfx(system: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "benchmarks.ingest_systems.tfx_nodes",
            system,
            str(logs),
            str(rows),
            "{out}/root",
        ]

    here = [sys.executable, "-m"]
    return {
        "Fulcrum, JSON lines": of_tfx("exposures"),
        "Fulcrum, CSV": of_tfx("csv"),
        "Fulcrum, event logs": of_tfx("events"),
        "CsvExampleGen": of_tfx("csv_example_gen"),
        "pandas": [*here, "benchmarks.ingest_systems.pandas_pass", str(logs), "{out}"],
        "DuckDB": [
            str(python_of("duckdb")),
            "-m",
            "benchmarks.ingest_systems.duckdb_pass",
            str(logs),
            "{out}",
        ],
        "Beam, a line an element": [
            *here,
            "benchmarks.ingest_systems.empty_beam",
            str(logs),
            str(rows),
        ],
        "statistics and Transform": of_tfx("transform"),
    }


def simulated(rows: int) -> Path:
    """Return the folder of one simulation's logs, which is written once.

    The folder holds exposures as JSON lines and as CSV, and event logs.
    """
    from pipeline.simulator.simulate import simulate_logs
    from pipeline.simulator.simulation_config import SimulationSettings

    folder = FOLDER / f"logs_{rows}"
    if (folder / "complete").exists():
        return folder
    console.print(f"[dim]simulating {rows:,} rows[/dim]")
    for name, event_logs in (("exposures", False), ("events", True)):
        settings = SimulationSettings(
            days=DAYS, rows_per_day=rows // DAYS, seed=1, event_logs=event_logs
        )
        simulate_logs(settings, folder / name)
    (folder / "csv").mkdir(exist_ok=True)
    _write_csv(sorted((folder / "exposures").glob("day=*/*.gz")), folder / "csv" / "exposures.csv")
    (folder / "complete").touch()
    return folder


def _write_csv(days: list[Path], path: Path) -> None:
    # A record has no key for a missing value, and early records have no history.
    names = list(
        dict.fromkeys(
            name
            for day in days
            for record in itertools.islice(_records(day), 1000)
            for name in record
        )
    )
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for day in days:
            for record in _records(day):
                record["recent_videos"] = "|".join(record.get("recent_videos") or ())
                writer.writerow([record.get(name) for name in names])


def _records(day: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(day) as lines:
        yield from map(json.loads, lines)


def medians(name: str, command: list[str], repetitions: int) -> Figures:
    """Run a system several times and return the median of each figure, by the parts it reports.

    If a system reports a single part, the part gets the name of the system.
    """
    turns = [measured_once(command) for _ in range(repetitions)]
    figures = {
        part: {
            figure: statistics.median(turn[part][figure] for turn in turns)
            for figure in turns[0][part]
        }
        for part in turns[0]
    }
    if len(figures) == 1:
        return {name: next(iter(figures.values()))}
    return {part: figures[part] for part in figures if part != "LogsExampleGen"}


def measured_once(command: list[str]) -> Figures:
    """Run a system once with a new folder of its own and return its figures."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as out:
        return measure(
            [argument.replace("{out}", out) for argument in command], TF_USE_LEGACY_KERAS="1"
        )


def table(rows: int, figures: Figures) -> Table:
    """Return a table of the figures by system, with the speed relative to CsvExampleGen."""
    result = Table(title=f"{rows:,} rows: {machine()}", title_justify="left")
    result.add_column("system", no_wrap=True)
    for heading in ("rows a second", "times CsvExampleGen", "time", "peak memory"):
        result.add_column(heading, justify="right")
    peer = figures.get("CsvExampleGen")
    for name, one in figures.items():
        rate = one["rows"] / one["elapsed_s"]
        times = f"{rate / (peer['rows'] / peer['elapsed_s']):.1f}" if peer else ""
        result.add_row(
            name,
            f"{rate:,.0f}",
            times,
            f"{one['elapsed_s']:.1f} s",
            f"{one['peak_memory_bytes'] / 1e9:.1f} GB",
        )
    return result


if __name__ == "__main__":
    typer.run(main)

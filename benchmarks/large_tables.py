"""The memory and the speed of a training with a large embedding table.

    python -m benchmarks.large_tables               # prints two tables; about 20 minutes on 2 cores
    python -m benchmarks.large_tables --values 2000000 --json FILE

The product's own trainer trains PLE on two days: the first begins afresh, the second with the
weights of the first. It does so with a table of 20 million values and width 16, and with one of 20
thousand values. All else is the same, so the difference of the peaks is the memory that the table
costs. It is given as a multiple of the memory that nothing can do without: the table, and what the
optimizers keep for it. A phase within another counts for itself only, and `in between` is what runs
in no phase. The training speed is that of `benchmarks.train_speed`, with the same
numbers of values in all fields together. The two sizes take turns and the median counts.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ple_workload import EXPERT_UNITS, FIELDS
from benchmarks.train_speed import worker
from benchmarks.worker import FOLDER, machine, measure

FEW_VALUES = 20_000
BATCH_SIZE = 512
MOST = 2.5

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main(
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here too.")
    ] = None,
    values: Annotated[
        int, typer.Option(help="Values of the large table.", min=FEW_VALUES)
    ] = 20_000_000,
    examples: Annotated[
        int, typer.Option(help="Examples to train on in an epoch, of which there are two.", min=512)
    ] = 100_000,
    repetitions: Annotated[
        int,
        typer.Option(help="Turns of the training speed; the median counts. 0: no speed.", min=0),
    ] = 3,
) -> None:
    """Measure the memory of each phase of a training, and the time of a step."""
    days = {size: trained(size, examples) for size in (FEW_VALUES, values)}
    phases = compared(days[FEW_VALUES], days[values])
    console.print(phase_table(values, phases))
    rates: dict[int, list[float]] = {FEW_VALUES: [], values: []}
    steps = max(10, examples // BATCH_SIZE)
    for repetition in range(repetitions):
        for size, of_size in rates.items():
            console.print(f"[dim]turn {repetition + 1} of {repetitions}: {size:,} values[/dim]")
            command = worker(
                "fulcrum", "in_memory", BATCH_SIZE, steps, EXPERT_UNITS, size // FIELDS, "ple"
            )
            of_size.append(measure(command)["rows_per_s"])
    step_ms = {
        size: 1000.0 * BATCH_SIZE / statistics.median(of_size)
        for size, of_size in rates.items()
        if of_size
    }
    if step_ms:
        console.print(step_table(step_ms))
    if json_file:
        figures = {
            "machine": machine(),
            "values": values,
            "phases": phases,
            "step_ms": {str(size): time_ms for size, time_ms in step_ms.items()},
        }
        json_file.write_text(json.dumps(figures, indent=2))


def trained(values: int, examples: int) -> list[dict[str, Any]]:
    """Return what the trainings of both days report."""
    command = [sys.executable, "-m", "benchmarks.large_tables_worker"]
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="large_tables_") as folder:
        console.print(f"[dim]{values:,} values: writing examples and vocabularies[/dim]")
        measure([*command, "prepare", folder, str(values), str(examples)], TF_USE_LEGACY_KERAS="1")
        result = []
        for day in (1, 2):
            console.print(f"[dim]{values:,} values: training of day {day}[/dim]")
            result.append(measure([*command, "train", folder, str(day)], TF_USE_LEGACY_KERAS="1"))
        return result


def compared(few: list[dict[str, Any]], many: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the memory and the time of each phase of both days, with many values and with few."""
    result = []
    for day, (small, large) in enumerate(zip(few, many, strict=True), 1):
        table_bytes = large["table_and_slots_bytes"] - small["table_and_slots_bytes"]
        for phase, peak in large["peak_bytes"].items():
            more = peak - small["peak_bytes"][phase]
            result.append({
                "day": day,
                "phase": phase,
                "table_and_slots_bytes": table_bytes,
                "peak_bytes": peak,
                "peak_bytes_with_few_values": small["peak_bytes"][phase],
                "times_table_and_slots": more / table_bytes,
                "time_s": large["time_s"].get(phase),
                "time_s_with_few_values": small["time_s"].get(phase),
            })  # fmt: skip
    return result


def phase_table(values: int, phases: list[dict[str, Any]]) -> Table:
    """Return a table with a row for each phase of each day."""
    result = Table(
        title=f"{values:,} values of width 16, and {FEW_VALUES:,}: {machine()}",
        title_justify="left",
    )
    for heading in ("day", "phase"):
        result.add_column(heading)
    for heading in (
        "peak memory", "with few values", "times table and slots", "time", "with few values",
    ):  # fmt: skip
        result.add_column(heading, justify="right")
    for one in phases:
        times = one["times_table_and_slots"]
        result.add_row(
            str(one["day"]),
            one["phase"],
            f"{one['peak_bytes'] / 1e9:.2f} GB",
            f"{one['peak_bytes_with_few_values'] / 1e9:.2f} GB",
            f"{times:.2f}" + (f" (more than {MOST})" if times > MOST else ""),
            *(
                "" if one[time] is None else f"{one[time]:.1f} s"
                for time in ("time_s", "time_s_with_few_values")
            ),
        )
    return result


def step_table(step_ms: dict[int, float]) -> Table:
    """Return a table of the time of a step by number of values."""
    result = Table(title=f"a step of PLE, batch {BATCH_SIZE}", title_justify="left")
    for heading in ("values of all fields", "time of a step", "times that of few values"):
        result.add_column(heading, justify="right")
    few = step_ms[FEW_VALUES]
    for size, time_ms in step_ms.items():
        result.add_row(f"{size:,}", f"{time_ms:.2f} ms", f"{time_ms / few:.2f}")
    return result


if __name__ == "__main__":
    typer.run(main)

"""CPU time and memory of a run, component by component, of an old commit and of this tree.

    python -m benchmarks.whole_run --against v0.2.0       # a table; about 10 minutes on 2 cores
    python -m benchmarks.whole_run --against HEAD~20 --rows 1000000 --turns 2 --json FILE

The commit is checked out beside, and both trees run `fulcrum run` in the same environment on the
same simulated logs with the commit's ready spec `short_video`, one after the other and in turn,
each into a root of its own. A component's
CPU time is that of the process and its children from the end of the component before; `start` ends
where the first component begins. The figure is old over new: how many times less the new one takes.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.worker import REPOSITORY, machine

START, REST, WHOLE = "start", "summary", "whole run"
DAYS = 8
_RUNNING = re.compile(r"(\w+): running")
_DONE = re.compile(r"(\w+): done in [\d.]+ s, peak memory ([\d.]+) GB")

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@dataclass(frozen=True)
class Cost:
    """What a component took.

    Attributes:
        cpu_s: CPU time in seconds.
        peak_memory_gb: the largest resident memory during the component, 0 where nobody says so.
    """

    cpu_s: float
    peak_memory_gb: float


def costs(lines: Iterable[tuple[str, float]]) -> dict[str, Cost]:
    """Return what each component took.

    Args:
        lines: each line that a run printed, with the CPU seconds that the run had taken by then;
            the last one says what the whole run took.
    """
    found: dict[str, Cost] = {}
    before = total = memory = 0.0
    for line, cpu_s in lines:
        total = cpu_s
        if START not in found and _RUNNING.match(line):
            found[START] = Cost(cpu_s, 0.0)
            before = cpu_s
        if done := _DONE.match(line):
            found[done[1]] = Cost(cpu_s - before, float(done[2]))
            before, memory = cpu_s, max(memory, float(done[2]))
    return found | {REST: Cost(total - before, 0.0), WHOLE: Cost(total, memory)}


def run_costs(
    tree: Path, *, spec: str, logs: Path, root: Path, settings: list[str]
) -> dict[str, Cost]:
    """Run the pipeline of a tree and return what each component took.

    Args:
        tree: a checkout.
        spec: a feature spec: a file, or the name of a ready one.
        logs: the folder of the logs.
        root: the pipeline root, which is new.
        settings: values of the spec, as for `fulcrum run --set`.

    Raises:
        RuntimeError: the run failed; the message ends with its last lines.
    """
    arguments = ["--spec", spec, "--logs", str(logs), "--root", str(root)]
    for setting in settings:
        arguments += ["--set", setting]
    run = subprocess.Popen(
        [sys.executable, "-m", "fulcrum", "run", *arguments],
        cwd=tree,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    before = os.times()
    lines: list[tuple[str, float]] = []
    process = psutil.Process(run.pid)
    for line in run.stdout or ():
        if _RUNNING.match(line) or _DONE.match(line):
            lines.append((line, sum(process.cpu_times()[:4])))
        else:
            lines.append((line, lines[-1][1] if lines else 0.0))
    status = run.wait()
    after = os.times()
    # 3: a task refused the model, which costs no less.
    if status not in (0, 3):
        text = "".join(line for line, _ in lines[-30:])
        raise RuntimeError(f"the run in {tree} ended with {status}:\n{text}")
    whole = sum(after[2:4]) - sum(before[2:4])
    return costs([*lines, ("", whole)])


def main(
    against: Annotated[str, typer.Option(help="Commit to compare with.")],
    rows: Annotated[int, typer.Option(help="Rows of the logs.", min=16)] = 200_000,
    turns: Annotated[int, typer.Option(help="Runs of each tree.", min=1)] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Value of the spec, as for `fulcrum run`.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Run both trees in turn, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        trees = {"old": _checked_out(against, place / "tree"), "new": REPOSITORY}
        simulated = f"--days {DAYS} --rows-per-day {rows // DAYS} --seed 1 --out {place / 'logs'}"
        subprocess.run(
            [sys.executable, "-m", "fulcrum", "simulate", *simulated.split()],
            cwd=trees["old"], check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        chosen = ["trainer.epochs=1", *(settings or [])]
        spec = str(trees["old"] / "feature_spec/specs/short_video.yaml")
        measured = [
            (
                name,
                run_costs(
                    tree,
                    spec=spec,
                    logs=place / "logs",
                    root=place / f"{name}{turn}",
                    settings=chosen,
                ),
            )
            for turn in range(turns)
            for name, tree in trees.items()
        ]
    by_tree = {
        name: dict(_medians(found for one, found in measured if one == name)) for name in trees
    }
    console.print(_table(by_tree, f"{rows:,} rows, old {against}; {machine()}"))
    if json_file is not None:
        figures = {
            name: {component: asdict(cost) for component, cost in found.items()}
            for name, found in by_tree.items()
        }
        json_file.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _environment() -> dict[str, str]:
    """Return the environment of a run, in which Python keeps what it has compiled."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _checked_out(commit: str, folder: Path) -> Path:
    """Write the files of a commit of this repository into a new folder."""
    folder.mkdir()
    git = shutil.which("git") or "git"
    archive = subprocess.run(
        [git, "archive", commit], cwd=REPOSITORY, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def _medians(runs: Iterable[dict[str, Cost]]) -> Iterator[tuple[str, Cost]]:
    found = list(runs)
    for component in found[0]:
        of_runs = [one[component] for one in found if component in one]
        yield (
            component,
            Cost(
                statistics.median(cost.cpu_s for cost in of_runs),
                max(cost.peak_memory_gb for cost in of_runs),
            ),
        )


def _table(by_tree: dict[str, dict[str, Cost]], title: str) -> Table:
    table = Table("component", title=title)
    for column in ("CPU s, old", "new", "old / new", "peak GB, old", "new", "old / new"):
        table.add_column(column, justify="right")
    old, new = by_tree["old"], by_tree["new"]
    for component in dict.fromkeys([*old, *new]):
        cells = []
        for value in ("cpu_s", "peak_memory_gb"):
            pair = [getattr(of.get(component), value, 0.0) for of in (old, new)]
            ratio = f"{pair[0] / pair[1]:.2f}" if all(pair) else "–"
            cells += [*(f"{one:.2f}" if one else "–" for one in pair), ratio]
        table.add_row(component, *cells)
    return table


if __name__ == "__main__":
    typer.run(main)

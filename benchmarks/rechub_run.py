"""A whole `fulcrum run` on KuaiRand-Pure beside a plain script of pandas and torch-rechub.

    python -m benchmarks.rechub_run --data ../shared/data/kuairand_pure   # a few minutes on 2 cores

Both read the official files, train a PLE of the same sizes for the same number of epochs, and judge
it on the last two days; the figure is CPU seconds of the process. The script stops there. Fulcrum
also keeps statistics and a schema, evaluates by slice with intervals, exports, serves the model on
trial, pushes it and writes a report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.environments import python_of
from benchmarks.papers.data_sets.kuairand import LOG, SIDE_TABLES
from benchmarks.whole_run import run_costs
from benchmarks.worker import REPOSITORY, machine
from feature_spec.fields.field import NumericField
from feature_spec.loading import load_spec

SPEC = "kuairand_static"
TASKS = {
    "click": "is_click",
    "long_view": "long_view",
    "watch_ratio": "watch_ratio",
    "like": "is_like",
    "profile_enter": "is_profile_enter",
}
WIDTH, UNITS, TOWER_UNITS, BATCH_SIZE = 16, 64, 64, 512

console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)


def plan(data: Path, epochs: int) -> dict[str, Any]:
    """Return what the plain script is told: the fields of the ready spec, and the same sizes."""
    fields = load_spec(SPEC).fields
    numeric = [name for name, field in fields.items() if isinstance(field, NumericField)]
    return {
        "log": str(data / LOG),
        "tables": [
            (str(data / table), key)
            for table, key in zip(SIDE_TABLES, ("user_id", "video_id"), strict=True)
        ],
        "categorical": [name for name in fields if name not in numeric],
        "numeric": numeric,
        "tasks": list(TASKS.values()),
        "width": WIDTH,
        "units": UNITS,
        "tower_units": TOWER_UNITS,
        "levels": 2,
        "task_experts": 2,
        "shared_experts": 2,
        "batch_size": BATCH_SIZE,
        "epochs": epochs,
    }


def settings(epochs: int) -> list[str]:
    """Return the values of the spec with which Fulcrum trains the network of `plan`."""
    return [
        f"trainer.epochs={epochs}",
        f"trainer.patience={epochs}",
        f"trainer.batch_size={BATCH_SIZE}",
        f"model.expert_units=[{UNITS}]",
        f"model.tower_units=[{TOWER_UNITS}]",
    ]


def script_costs(data: Path, epochs: int, folder: Path) -> tuple[float, dict[str, Any]]:
    """Return the CPU seconds of the plain script, and the AUCs that it found."""
    python = python_of("torch_rechub")
    folder.mkdir()
    before = os.times()
    done = subprocess.run(
        [python, "-m", "benchmarks.peers.torch_rechub_run",
         json.dumps(plan(data, epochs)), folder],
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},  # waits for the other core without work
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"the plain script failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return sum(after[2:4]) - sum(before[2:4]), found["auc"]


def main(
    data: Annotated[Path, typer.Option(help="Folder of the official files.", exists=True)],
    epochs: Annotated[int, typer.Option(help="Passes over the training examples.", min=1)] = 3,
) -> None:
    """Run both, one after the other, and print a table."""
    data = data.resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        theirs, aucs = script_costs(data, epochs, place / "script")
        root = place / "root"
        ours = run_costs(REPOSITORY, spec=SPEC, logs=data, root=root, settings=settings(epochs))
        own = _own_aucs(root)
    title = f"KuaiRand-Pure, {epochs} epochs; {machine()}"
    table = Table("part", title=title)
    table.add_column("CPU s", justify="right")
    for part, cost in ours.items():
        table.add_row(part, f"{cost.cpu_s:.1f}")
    table.add_row("plain script of torch-rechub", f"{theirs:.1f}")
    table.add_row("whole run / script", f"{ours['whole run'].cpu_s / theirs:.2f}")
    console.print(table)
    for task, column in TASKS.items():
        if column in aucs:
            console.print(f"{task}: AUC {own[task]:.4f}, script {aucs[column]:.4f}")


def _own_aucs(root: Path) -> dict[str, float]:
    """Return the AUC of each binary task on the whole evaluation split."""
    from pipeline.evaluate.evaluation_result import read_evaluation

    (folder,) = (root / "artifacts/Evaluator/evaluation").iterdir()
    tasks = read_evaluation(str(folder)).tasks
    return {
        verdict.task: verdict.metrics["auc"] or 0.0 for verdict in tasks if "auc" in verdict.metrics
    }


if __name__ == "__main__":
    typer.run(main)

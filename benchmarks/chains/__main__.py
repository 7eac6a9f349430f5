"""What conversion rates miss that are learnt from clicks alone, and what chains cure.

    python -m benchmarks.chains            # about 10 minutes on 2 quiet cores
    python -m benchmarks.chains --hidden   # as long; moods, which raise both rates, in no field

Each row is a way to train `conversion` beside `click`. `oracle` reads what nobody can log: what
everyone would have done after a click. `best` is what the fields tell of clicks and of conversions
after them. The truth of every impression is known (docs/simulator.md); a random quarter judges.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.chains.measures import measured
from benchmarks.chains.simulated import Conversion, Impressions, Simulation, rows_of, simulate
from benchmarks.worker import machine

if TYPE_CHECKING:
    from feature_spec.tasks.task import Task

WAYS: dict[str, dict[str, Any]] = {
    "clicks alone": {},
    "esmm": {"chain": "esmm"},
    "escm2_ips": {"chain": "escm2_ips"},
    "escm2_dr": {"chain": "escm2_dr"},
    "oracle": {},
}
MODEL = "mmoe"
SHOWN = (
    "all bias", "unclicked bias", "tilt", "all kl", "all auc", "unclicked auc",
    "joint bias", "joint kl", "joint auc", "click auc",
)  # fmt: skip
_JUDGING, _VALIDATION = 0.25, 0.05
Results = dict[str, list[dict[str, float]]]


def main(
    seeds: Annotated[int, typer.Option(help="Simulations and trainings of each way.", min=1)] = 5,
    rows: Annotated[int, typer.Option(help="Impressions, about.", min=1000)] = 80_000,
    conversion: Annotated[Conversion, typer.Option(help="What converts.")] = "share",
    hidden: Annotated[bool, typer.Option(help="Leave moods and trends out of the fields.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Simulate, train every way with every seed, and print the means."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    results: Results = {}
    for seed in range(seeds):
        simulation = simulate(rows=rows, seed=seed, conversion=conversion, moods=not hidden)
        everything = simulation.impressions
        parts = np.random.default_rng(seed).random(everything.size)
        judging = rows_of(everything, np.flatnonzero(parts < _JUDGING))
        for way in WAYS:
            scores = _trained(way, simulation, parts, judging, seed)
            results.setdefault(way, []).append(measured(judging, scores))
        best = {"click": judging.best_click, "conversion": judging.best_conversion}
        results.setdefault("best", []).append(measured(judging, best))
        if json_file is not None:
            json_file.write_text(json.dumps(results, indent=1))
    told = "moods in no field" if hidden else "moods in fields"
    clicked = judging.clicked == 1
    title = (
        f"{conversion}, {told}, {MODEL}, {rows:,} impressions, {seeds} seeds; of the last seed's "
        f"{judging.size:,} that judge {clicked.mean():.1%} clicked; true conversion rate "
        f"{judging.conversion.mean():.2%}, {judging.conversion[clicked].mean():.2%} of the "
        f"clicked; {machine()}"
    )
    Console(highlight=False, width=170).print(_table(results, title))


def _table(results: Results, title: str) -> Table:
    """Return the mean ± standard error over seeds."""
    table = Table("trained on", title=title)
    for name in SHOWN:
        table.add_column(name, justify="right")
    for way, runs in results.items():
        cells = []
        for name in SHOWN:
            values = np.array([run[name] for run in runs])
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            form = ".1%" if name.endswith(("bias", "tilt")) else ".4f"
            cells.append(f"{values.mean():+{form}} ±{error:{form}}".replace("+0.", "0."))
        table.add_row(way, *cells)
    return table


def _trained(
    way: str, simulation: Simulation, parts: np.ndarray, judging: Impressions, seed: int
) -> Mapping[str, np.ndarray]:
    """Train one way, and return its scores of the judging impressions by task."""
    import dataclasses

    import tensorflow as tf

    from feature_spec import names
    from trainer.fit.fitting import fit
    from trainer.inputs.examples import Examples
    from trainer.settings.train_config import parse_settings

    is_validation = (parts >= _JUDGING) & (parts < _JUDGING + _VALIDATION)
    validation, training = (
        Examples(
            rows_of(simulation.impressions, np.flatnonzero(rows)).examples(everyone=way == "oracle")
        )
        for rows in (is_validation, parts >= _JUDGING + _VALIDATION)
    )
    imputed = ("conversion",) if WAYS[way].get("chain") == "escm2_dr" else ()
    layout = dataclasses.replace(simulation.layout(), imputed=imputed)
    settings = parse_settings({"name": MODEL}, {"seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        network = fit(
            layout, _tasks(way), settings, training, validation, checkpoint_folder=Path(folder)
        )
    features = {
        name: values
        for name, values in judging.examples().items()
        if name not in (names.LABELS, names.MASKS)
    }
    scores = network.scores(network({name: tf.constant(x) for name, x in features.items()}))
    return {task: score.numpy().astype(np.float64) for task, score in scores.items()}


def _tasks(way: str) -> dict[str, Task]:
    from feature_spec.tasks.task import Task

    def task(column: str, **more: Any) -> Task:
        rule = {"rule": "event", "column": column}
        return Task.model_validate({"kind": "binary", "label": rule, "metric": "log_loss", **more})

    given = {} if way == "oracle" else {"given": "click"}
    return {"click": task("click"), "conversion": task("conversion", **given, **WAYS[way])}


if __name__ == "__main__":
    typer.run(main)

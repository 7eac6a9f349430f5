"""What a training step pays for: gradients of limited norm, and noise that follows from the seed.

    python -m benchmarks.step_costs

Each row compares two trainings in one process, which take turns of 50 steps on the batches of
`benchmarks.train_speed`: as it is, and without. The figure is the ratio of the medians of the time.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any
from unittest import mock

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.worker import machine

STEPS = 50


def main(
    turns: Annotated[int, typer.Option(help="Turns of each training.", min=1)] = 20,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch.", min=1)] = 512,
) -> None:
    """Measure and print a ratio for each cost."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    without_seed = mock.patch(
        "trainer.fit.multi_task_ranker.noise_of", return_value=contextlib.nullcontext()
    )
    table = Table(title=f"time of a step, as it is / without; {machine()}")
    for name in ("cost", "model", "ratio of medians"):
        table.add_column(name)
    for cost, model, trainer, patch in (
        ("gradient_clip_norm", "ple", {"gradient_clip_norm": None}, None),
        ("gradient_clip_norm", "mssm", {"gradient_clip_norm": None}, None),
        ("noise from the seed: gates", "mssm", {}, without_seed),
        ("noise from the seed: dropout of 0.2", "ple", {}, without_seed),
    ):
        own = {"dropout_rate": 0.2} if "dropout" in cost else {}
        steps = [_steps(model, own, {}, batch_size)]
        with patch or contextlib.nullcontext():
            steps.append(_steps(model, own, trainer, batch_size))
        table.add_row(cost, model, f"{_ratio(steps, turns):.3f}")
    Console(highlight=False).print(table)


def _steps(
    model: str, own: dict[str, Any], trainer: dict[str, Any], batch_size: int
) -> Callable[[], None]:
    """Return what takes 50 steps of a training of its own; it is compiled."""
    from benchmarks import ple_workload as ple
    from benchmarks.peers.fulcrum import features, ranker
    from trainer.inputs.examples import Examples

    made = ranker(batch_size, ple.VALUES, ple.EXPERT_UNITS, model, own=own, trainer=trainer)
    batches = iter(Examples(features(STEPS * batch_size, ple.VALUES)).shuffled(batch_size, seed=0))
    run = made.make_train_function()

    def steps() -> None:
        float(run(batches)["loss"])

    steps()
    return steps


def _ratio(steps: list[Callable[[], None]], turns: int) -> float:
    """Let trainings take turns; return the median time of the first over that of the second."""
    times: list[list[float]] = [[], []]
    for _ in range(turns):
        for of_one, take in zip(times, steps, strict=True):
            began = time.perf_counter()
            take()
            of_one.append(time.perf_counter() - began)
    return statistics.median(times[0]) / statistics.median(times[1])


if __name__ == "__main__":
    typer.run(main)

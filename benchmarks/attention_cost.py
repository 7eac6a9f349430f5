"""What attention over histories costs: scores of a request, and steps of a training.

    python -m benchmarks.attention_cost

All networks are PLE with the trainer's settings over 30 fields of 1,000 values and width 16, of
which 10 belong to the candidate, and 5 tasks. A history has 50 entries with three values of the
candidate's fields each, their age and their feedback: five lists of width 16. It is left out, or
averaged, or attended to. Networks take turns, and medians count, because machines are noisy.

A request is scored from ids to logits. `rank` also looks up texts, which takes all of them the same
time, so that its ratios lie nearer to 1.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pruned_export import FIELDS, TASKS, VALUES, WIDTH, layout
from benchmarks.worker import machine

if TYPE_CHECKING:
    from trainer.network.network_layout import NetworkLayout

LENGTH, LISTS, MARKS = 50, 3, 2
STEPS = 10
FORMS = ("no history", "mean", "dot_product", "activation_unit")


def main(
    turns: Annotated[int, typer.Option(help="Turns of each network.", min=1)] = 30,
    candidates: Annotated[int, typer.Option(help="Candidates of a request.", min=1)] = 500,
    batch_size: Annotated[int, typer.Option(help="Rows of a training's batch.", min=1)] = 512,
) -> None:
    """Measure and print the times of each form of the history, and ratios."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kinds = {
        f"request of {candidates}, ms": [_request(form, candidates, xla=False) for form in FORMS],
        f"request of {candidates} by XLA, ms": [
            _request(form, candidates, xla=True) for form in FORMS
        ],
        f"{STEPS} steps of {batch_size}, ms": [_steps(form, batch_size) for form in FORMS],
    }
    table = Table(title=f"medians of {turns} turns, and ratios to no history; {machine()}")
    for name in ("", *FORMS):
        table.add_column(name, justify="right" if name else "left")
    for name, calls in kinds.items():
        medians = _medians(calls, turns)
        table.add_row(name, *(f"{ms:.2f} ({ms / medians[0]:.2f})" for ms in medians))
    Console(highlight=False).print(table)


def _layout(form: str) -> NetworkLayout:
    from trainer.layers.field_embedding import SlotLayout
    from trainer.network.attention_layout import AttentionLayout

    plain = layout()
    lists = tuple(
        SlotLayout(FIELDS["request"] + place * LENGTH, LENGTH, WIDTH, 0)
        for place in range(LISTS + MARKS)
    )
    if form == "no history":
        return plain
    if form == "mean":
        slots = {**plain.slots, "request": (*plain.slots["request"], *lists)}
        return dataclasses.replace(plain, slots=slots)
    attention = AttentionLayout(
        name="past",
        values=lists[:LISTS],
        counterparts=tuple(("candidate", slot) for slot in plain.slots["candidate"][:LISTS]),
        marks=lists[LISTS:],
        pooling=form,
        heads=4,
    )
    return dataclasses.replace(plain, attentions=(attention,))


def _features(rows: int, requests: int) -> dict[str, Any]:
    import numpy as np

    random = np.random.default_rng(0)
    columns = FIELDS["request"] + LENGTH * (LISTS + MARKS)
    highest = VALUES * sum(FIELDS.values())
    return {
        "request_ids": random.integers(1, highest, (requests, columns)),
        "candidate_ids": random.integers(1, highest, (rows, FIELDS["candidate"])),
        "labels": random.integers(0, 2, (rows, TASKS)).astype(np.float32),
        "masks": np.ones((rows, TASKS), np.float32),
    }


def _request(form: str, candidates: int, *, xla: bool) -> Callable[[], None]:
    import tensorflow as tf

    from trainer.network.network import Network
    from trainer.settings.train_config import parse_settings

    network = Network(_layout(form), parse_settings({"name": "ple"}, {}), name="network")
    inputs = {
        name: tf.constant(values)
        for name, values in _features(candidates, 1).items()
        if name.endswith("ids")
    }
    network(inputs, one_request=True)
    graph = tf.function(lambda: network(inputs, one_request=True), jit_compile=xla, autograph=False)

    def call() -> None:
        for logits in graph().values():
            logits.numpy()

    call()
    return call


def _steps(form: str, batch_size: int) -> Callable[[], None]:
    from feature_spec.tasks.task import Task
    from trainer.fit.multi_task_ranker import MultiTaskRanker
    from trainer.inputs.examples import Examples
    from trainer.network.network import Network
    from trainer.settings.train_config import parse_settings

    settings = parse_settings({"name": "ple"}, {"batch_size": batch_size})
    examples = Examples(_features(STEPS * batch_size, STEPS * batch_size))
    network = Network(_layout(form), settings, name="network")
    network(examples.first_rows(batch_size))
    task = Task.model_validate(
        {
            "kind": "binary",
            "label": {"rule": "event", "column": "x"},
            "metric": "auc",
            "threshold": 0.5,
            "tolerance": 0.1,
        }
    )
    model = MultiTaskRanker(network, dict.fromkeys(network.layout.tasks, task), settings.trainer)
    model.compile_for_training()
    model._steps_per_execution.assign(STEPS)  # noqa: SLF001 (`fit` would validate, too)
    batches = iter(examples.shuffled(batch_size, seed=0))
    run = model.make_train_function()

    def steps() -> None:
        float(run(batches)["loss"])

    steps()
    return steps


def _medians(calls: list[Callable[[], None]], turns: int) -> list[float]:
    """Let networks take turns; return the median milliseconds of each."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(turns):
        for of_one, call in zip(times, calls, strict=True):
            began = time.perf_counter()
            call()
            of_one.append(1000.0 * (time.perf_counter() - began))
    return [statistics.median(of_one) for of_one in times]


if __name__ == "__main__":
    typer.run(main)

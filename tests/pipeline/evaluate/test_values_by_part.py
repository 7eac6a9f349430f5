"""Runs are compared example by example, by their metrics without each part of the jackknife."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_spec.loading import parse_spec
from pipeline.evaluate.evaluation_result import TaskVerdict, ValuesByPart
from pipeline.evaluate.measuring import Place, in_order, task_metrics
from pipeline.evaluate.metrics.jackknife import PARTS
from pipeline.evaluate.metrics.metric_accumulators import sums_of
from pipeline.evaluate.tfma_files import Measured
from pipeline.evaluate.values_by_part import (
    paired_change,
    read_values_by_part,
    values_by_part,
    write_values_by_part,
)

pytestmark = pytest.mark.tensorflow

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}}
tasks: {click: {kind: binary, label: {rule: event, column: a}, metric: auc}}
ranking_formula: {weights: {click: 1}}
""")
PLACE = Place("", b"", "click", "candidate")


def _measured(seed: int = 1, noise: float = 0.0, count: int = 4000) -> list[Measured]:
    """Of examples of a seed, scored by one model with a little noise of its own."""
    random = np.random.default_rng(seed)
    parts, hidden = random.integers(0, PARTS, count), random.normal(size=count)
    labels = (hidden + random.normal(size=count) > 0.0).astype(float)
    logits = hidden + np.random.default_rng(9).normal(0.0, noise or 1e-9, count)
    rows = np.stack([parts, labels, 1.0 / (1.0 + np.exp(-logits)), np.ones(count)], axis=1)
    return in_order(SPEC, task_metrics(SPEC, PLACE, sums_of("binary", rows)))


def _verdict(measured: list[Measured], **changes: Any) -> TaskVerdict:
    of_task = values_by_part(measured)["click"]
    return TaskVerdict(
        task="click", example_count=4000, metric="auc", threshold=0.5, tolerance=0.0,
        metrics={name: values[0] for name, values in of_task.values.items()}, baseline_metrics={},
        change=None, slices=[], protected=[], refusals=[], by_part=of_task, **changes,
    )  # fmt: skip


def test_a_change_on_the_same_examples_is_surer_than_each_of_the_metrics() -> None:
    better, worse = _verdict(_measured()), _verdict(_measured(noise=0.3))
    change = paired_change(worse, better)
    assert change is not None
    values = [np.array(of.by_part.values["auc"]) for of in (worse, better)]
    assert change.value == pytest.approx(values[0][0] - values[1][0])
    # The delete-one-part jackknife by its definition: 19/20 of the sum of squared deviations.
    without = (values[0] - values[1])[1:]
    error = np.sqrt((PARTS - 1) / PARTS * ((without - without.mean()) ** 2).sum())
    # Student's t of 19 degrees of freedom at 97.5 %.
    assert change.upper - change.lower == pytest.approx(2 * 2.0930 * error, rel=1e-3)
    alone = np.sqrt((PARTS - 1) / PARTS * ((values[0][1:] - values[0][1:].mean()) ** 2).sum())
    assert error < alone / 2
    assert change.is_clear


def test_runs_on_other_examples_have_a_change_without_an_interval() -> None:
    change = paired_change(_verdict(_measured(seed=2)), _verdict(_measured(seed=1)))
    assert change is not None
    assert change.value != 0.0
    assert not change.has_interval


def test_a_run_of_an_earlier_version_has_a_change_without_an_interval() -> None:
    first = dataclasses.replace(_verdict(_measured()), by_part=None)
    change = paired_change(_verdict(_measured(noise=0.3)), first)
    assert change is not None
    assert not change.has_interval


def test_equal_models_differ_nowhere() -> None:
    change = paired_change(_verdict(_measured()), _verdict(_measured()))
    assert change is not None
    assert (change.value, change.lower, change.upper) == (0.0, 0.0, 0.0)


def test_tasks_of_different_metrics_are_not_compared() -> None:
    other = dataclasses.replace(_verdict(_measured()), metric="log_loss")
    assert paired_change(_verdict(_measured()), other) is None


def test_values_are_read_as_they_were_written(tmp_path: Path) -> None:
    values = {"click": ValuesByPart(examples="0" * 16, values={"auc": [0.5, None, 0.25]})}
    write_values_by_part(values, str(tmp_path))
    assert read_values_by_part(str(tmp_path)) == values
    assert read_values_by_part(str(tmp_path / "of an earlier version")) == {}


def test_the_examples_of_a_task_have_one_hash_in_any_order_of_summation() -> None:
    random = np.random.default_rng(5)
    columns = [random.integers(0, PARTS, 500), random.random(500), random.random(500), np.ones(500)]
    rows = np.stack(columns, axis=1)
    hashes = {
        values_by_part(task_metrics(SPEC, PLACE, sums_of("binary", shuffled)))["click"].examples
        for shuffled in (rows, rows[::-1], random.permutation(rows))
    }
    assert len(hashes) == 1

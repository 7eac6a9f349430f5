"""What TFMA computed becomes a verdict a task."""

from __future__ import annotations

import math
from types import SimpleNamespace as Proto
from typing import Any

from feature_spec.loading import parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.verdict import TaskVerdict, task_verdicts

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.6, tolerance: 0.01}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse, threshold: 0.2, tolerance: 0.02}
ranking_formula: {weights: {click: 1}}
""")
GOOD = {"click": {"example_count": 10.0, "auc": 0.7, "log_loss": 0.5}, "watch": {"example_count": 8.0, "mse": 0.1}}


def metrics(by_task: dict[str, dict[str, float]], model: str = "", **key: Any) -> list[Any]:
    entries = [
        Proto(
            key=Proto(model_name=model, output_name=task, name=name, is_diff=False, **key),
            value=Proto(double_value=Proto(value=value)),
        )
        for task, values in by_task.items()
        for name, value in values.items()
    ]
    return [Proto(metric_keys_and_values=entries)]


def validation(*failed: tuple[str, bool]) -> Any:
    failures = [Proto(metric_key=Proto(output_name=task, is_diff=is_diff)) for task, is_diff in failed]
    return Proto(metric_validations_per_slice=[Proto(failures=failures)])


def verdicts(
    by_task: dict[str, dict[str, float]], *failed: tuple[str, bool], spec: FeatureSpec = SPEC
) -> dict[str, TaskVerdict]:
    return {verdict.task: verdict for verdict in task_verdicts(spec, metrics(by_task), validation(*failed))}


def test_a_passed_task_has_its_metrics_and_no_refusal() -> None:
    verdict = verdicts(GOOD)["click"]
    assert (verdict.example_count, verdict.value, verdict.baseline_value) == (10, 0.7, None)
    assert verdict.metrics == {"auc": 0.7, "log_loss": 0.5}
    assert verdict.refusals == []


def test_an_auc_below_its_threshold_is_said_to_be_below() -> None:
    found = verdicts(GOOD | {"click": {"example_count": 10.0, "auc": 0.55, "log_loss": 0.5}}, ("click", False))
    assert found["click"].refusals == ["auc 0.5500 is below the threshold 0.6"]
    assert found["watch"].refusals == []


def test_an_error_above_its_threshold_is_said_to_be_above() -> None:
    found = verdicts(GOOD | {"watch": {"example_count": 8.0, "mse": 0.25}}, ("watch", False))
    assert found["watch"].refusals == ["mse 0.2500 is above the threshold 0.2"]


def test_a_loss_against_the_blessed_model_gives_both_values_and_the_tolerance() -> None:
    both = [*metrics(GOOD, "candidate"), *metrics({"click": {"example_count": 10.0, "auc": 0.75}}, "baseline")]
    [click, watch] = task_verdicts(SPEC, both, validation(("click", True)))
    assert click.baseline_value == 0.75
    assert click.refusals == ["auc 0.7000 is worse than the blessed model's 0.7500 by more than the tolerance 0.01"]
    assert watch.baseline_value is None


def test_a_task_without_examples_refuses_for_that_reason_alone() -> None:
    empty = {"example_count": 0.0, "auc": 0.0, "log_loss": math.nan}
    verdict = verdicts(GOOD | {"click": empty}, ("click", False), ("click", False))["click"]
    assert verdict.refusals == ["no evaluation example lies in its sample space"]
    assert verdict.metrics == {"auc": None, "log_loss": None}


def test_an_auc_of_labels_that_are_all_alike_is_undefined() -> None:
    verdict = verdicts(GOOD | {"click": {"example_count": 5.0, "auc": 0.0, "log_loss": 0.1}}, ("click", False))["click"]
    assert verdict.value is None
    assert verdict.refusals == ["auc cannot be computed: all its labels are alike, or its scores are not numbers"]

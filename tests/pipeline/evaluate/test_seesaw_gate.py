"""Which measurements refuse a model, and with which words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from feature_spec.loading import parse_spec
from pipeline.evaluate.evaluation_result import (
    CalibrationBucket,
    Estimate,
    Measurement,
    TaskVerdict,
)
from pipeline.evaluate.seesaw_gate import task_verdicts

SPEC = parse_spec("""
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}, tab: {side: context, kind: categorical}, age: {side: item, kind: categorical}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.6, tolerance: 0.01}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse, threshold: 0.2, tolerance: 0.02}
ranking_formula: {weights: {click: 1}}
evaluation: {slices: [{field: tab, protected: true}, {field: age}]}
""")


def measured(
    metric: str,
    found: float | None,
    blessed: float | None = None,
    interval: tuple[float, float] | None = None,
    **place: Any,
) -> Measurement:
    """A measurement with a blessed model's value, if there was one, and the interval of the difference."""
    lower, upper = interval or (None, None)
    compared = blessed is not None
    change = None if found is None or blessed is None else found - blessed
    return Measurement(
        **{"field": "", "value": "", "example_count": 10, **place},
        metrics={metric: Estimate(value=found)},
        baseline={metric: Estimate(value=blessed)} if compared else {},
        changes={metric: Estimate(value=change, lower=lower, upper=upper)} if compared else {},
    )


GOOD = {"click": [measured("auc", 0.7)], "watch": [measured("mse", 0.1)]}


def verdicts(**changed: list[Measurement]) -> dict[str, TaskVerdict]:
    return {verdict.task: verdict for verdict in task_verdicts(SPEC, GOOD | changed)}


def click(*parts: Measurement) -> list[str]:
    found = verdicts(click=list(parts))
    assert found["watch"].refusals == []
    return found["click"].refusals


def test_the_first_model_passes_by_the_floors_alone() -> None:
    verdict = verdicts()["click"]
    assert (verdict.example_count, verdict.value, verdict.baseline_value, verdict.change) == (
        10,
        0.7,
        None,
        None,
    )
    assert verdict.refusals == []


def test_an_auc_below_its_threshold_is_said_to_be_below() -> None:
    assert click(measured("auc", 0.55)) == ["auc 0.5500 is below the threshold 0.6"]


def test_an_error_above_its_threshold_is_said_to_be_above() -> None:
    assert verdicts(watch=[measured("mse", 0.25)])["watch"].refusals == [
        "mse 0.2500 is above the threshold 0.2"
    ]


def test_a_loss_beyond_tolerance_and_noise_is_refused_by_how_much() -> None:
    assert click(measured("auc", 0.70, 0.75, (-0.06, -0.04))) == [
        "auc 0.7000 is worse than the blessed model's 0.7500 by 0.0500 (95 % interval 0.0400 to 0.0600), "
        "more than the tolerance 0.01"
    ]


def test_a_rise_of_an_error_beyond_tolerance_and_noise_is_refused_by_how_much() -> None:
    assert verdicts(watch=[measured("mse", 0.15, 0.10, (0.03, 0.07))])["watch"].refusals == [
        "mse 0.1500 is worse than the blessed model's 0.1000 by 0.0500 (95 % interval 0.0300 to 0.0700), "
        "more than the tolerance 0.02"
    ]


@pytest.mark.parametrize("interval", [(-0.12, 0.02), (-0.095, -0.005)])
def test_a_loss_within_noise_passes(interval: tuple[float, float]) -> None:
    """Of a loss of 0.05, or its interval, the kindest end is within the tolerance of 0.01."""
    assert click(measured("auc", 0.70, 0.75, interval)) == []


def test_a_gain_passes() -> None:
    assert click(measured("auc", 0.80, 0.75, (0.04, 0.06))) == []
    assert verdicts(watch=[measured("mse", 0.05, 0.10, (-0.07, -0.03))])["watch"].refusals == []


def test_where_there_is_no_interval_the_point_value_decides_on_the_whole_split() -> None:
    assert click(measured("auc", 0.735, 0.75)) == [
        "auc 0.7350 is worse than the blessed model's 0.7500 by 0.0150 (no interval), more than the tolerance 0.01"
    ]


def test_a_protected_slice_without_an_interval_refuses_nothing() -> None:
    whole = measured("auc", 0.75, 0.75, (-0.01, 0.01))
    assert click(whole, measured("auc", 0.70, 0.75, field="tab", value="1")) == []


def test_a_protected_slice_with_few_positives_refuses_nothing() -> None:
    whole = measured("auc", 0.75, 0.75, (-0.01, 0.01))

    def part(positives: int) -> Measurement:
        buckets = [CalibrationBucket(example_count=99, mean_score=0.5, mean_label=positives / 99)]
        losing = measured("auc", 0.70, 0.75, (-0.06, -0.04), field="tab", value="1")
        return dataclasses.replace(losing, example_count=99, calibration=buckets)

    assert click(whole, part(9)) == []
    assert len(click(whole, part(10))) == 1


def test_a_protected_slice_refuses_and_is_named() -> None:
    whole = measured("auc", 0.75, 0.75, (-0.01, 0.01))
    part = measured("auc", 0.70, 0.75, (-0.06, -0.04), field="tab", value="1")
    [refusal] = click(whole, part)
    assert refusal.startswith(
        "auc on tab=1 0.7000 is worse than the blessed model's 0.7500 by 0.0500 "
    )


def test_a_slice_that_is_not_protected_refuses_nothing() -> None:
    whole = measured("auc", 0.75, 0.75, (-0.01, 0.01))
    assert click(whole, measured("auc", 0.70, 0.75, (-0.06, -0.04), field="age", value="1")) == []


def test_the_floor_is_that_of_the_whole_split() -> None:
    assert click(measured("auc", 0.7), measured("auc", 0.5, field="tab", value="1")) == []


def test_a_metric_that_only_the_blessed_model_has_refuses() -> None:
    whole = measured("auc", 0.75, 0.75, (-0.01, 0.01))
    [refusal] = click(whole, measured("auc", None, 0.75, field="tab", value="1"))
    assert refusal == "auc on tab=1 cannot be computed, though the blessed model's 0.7500 can"


@pytest.mark.parametrize(
    "parts", [[], [dataclasses.replace(measured("auc", None), example_count=0)]]
)
def test_a_task_without_examples_refuses_for_that_reason_alone(parts: list[Measurement]) -> None:
    assert click(*parts) == ["no evaluation example lies in its sample space"]


def test_a_metric_without_a_value_refuses() -> None:
    assert click(measured("auc", None)) == [
        "auc cannot be computed: all its labels are alike, or its scores are not numbers"
    ]

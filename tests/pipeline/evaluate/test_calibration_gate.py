"""Which predicted over observed refuses a model, and with which words."""

from __future__ import annotations

import pytest

from feature_spec.loading import parse_spec
from pipeline.evaluate.evaluation_result import CalibrationBucket, Estimate, Measurement
from pipeline.evaluate.seesaw_gate import task_verdicts

SPEC = """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields: {x: {side: item, kind: numeric}, tab: {side: context, kind: categorical}, age: {side: item, kind: categorical}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc, threshold: 0.6}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse, threshold: 0.2}
ranking_formula: {weights: {click: 1}}
evaluation: {slices: [{field: tab, protected: true}, {field: age}]}
"""
LIMITS = "calibration: {within: [0.95, 1.05]}\n"


def measured(ratio, ends=(None, None), positives=500, **place):
    return Measurement(
        **{"field": "", "value": "", "example_count": 1000, **place},
        metrics={"auc": Estimate(value=0.7), "calibration": Estimate(value=ratio, lower=ends[0], upper=ends[1])},
        baseline={},
        changes={},
        calibration=[CalibrationBucket(example_count=1000, mean_score=0.5, mean_label=positives / 1000)],
    )  # fmt: skip


def click(*parts, spec=SPEC + LIMITS):
    watch = Measurement(
        field="", value="", example_count=1000, metrics={"mse": Estimate(value=0.1)}, baseline={}, changes={}
    )  # fmt: skip
    verdict, other = task_verdicts(parse_spec(spec), {"click": parts, "watch": [watch]})
    assert other.outcome == "passed"
    return verdict


RIGHT = measured(1.01, (0.98, 1.04))


@pytest.mark.parametrize(
    ("ratio", "ends"), [(1.0, (None, None)), (1.04, (0.9, 1.2)), (0.96, (0.955, 0.965))]
)
def test_a_value_within_the_limits_passes_whatever_its_interval(ratio, ends):
    assert click(measured(ratio, ends)).outcome == "passed"


def test_an_interval_above_the_limit_refuses():
    assert click(measured(1.2, (1.1, 1.3))).refusals == [
        "predicted over observed 1.200 (95 % interval 1.100 to 1.300) is above 1.05, the limit of "
        "calibration.within"
    ]


def test_an_interval_below_the_limit_refuses():
    assert click(measured(0.5, (0.45, 0.55))).refusals == [
        "predicted over observed 0.500 (95 % interval 0.450 to 0.550) is below 0.95, the limit of "
        "calibration.within"
    ]


@pytest.mark.parametrize(("ratio", "ends"), [(1.2, (1.04, 1.36)), (0.8, (0.6, 1.0))])
def test_an_interval_that_reaches_into_the_limits_cannot_tell(ratio, ends):
    verdict = click(measured(ratio, ends))
    assert verdict.refusals == []
    assert verdict.outcome == (
        f"too few to tell whether calibrated: predicted over observed {ratio:.3f} (95 % interval "
        f"{ends[0]:.3f} to {ends[1]:.3f})"
    )


def test_without_an_interval_the_value_decides_on_the_whole_split():
    assert click(measured(1.2)).refusals == [
        "predicted over observed 1.200 (no interval) is above 1.05, the limit of calibration.within"
    ]


def test_too_few_positives_refuse_nothing():
    assert click(measured(3.0, (2.5, 3.5), positives=4)).outcome == "too few to tell (4 positives)"


def test_a_protected_slice_refuses_and_another_does_not():
    assert click(RIGHT, measured(1.2, (1.1, 1.3), field="age", value="1")).outcome == "passed"
    assert click(RIGHT, measured(1.2, (1.1, 1.3), field="tab", value="1")).refusals == [
        "predicted over observed on tab=1 1.200 (95 % interval 1.100 to 1.300) is above 1.05, the "
        "limit of calibration.within"
    ]


def test_a_protected_slice_with_too_few_positives_or_without_an_interval_refuses_nothing():
    few = click(RIGHT, measured(1.2, (1.1, 1.3), positives=9, field="tab", value="1"))
    assert few.outcome == "passed"
    assert click(RIGHT, measured(1.2, field="tab", value="1")).outcome == "passed"


def test_without_limits_no_ratio_refuses():
    assert click(measured(3.0, (2.5, 3.5)), spec=SPEC).outcome == "passed"
    platt = SPEC + "calibration: {method: platt}\n"
    assert click(measured(3.0, (2.5, 3.5)), spec=platt).outcome == "passed"

"""Tasks without a threshold or a tolerance: better than chance, and no loss beyond noise."""

from __future__ import annotations

from typing import Any

import pytest

from feature_spec.loading import parse_spec
from feature_spec.spec_tables import _blessing
from feature_spec.tasks.evidence import examples_text, too_few
from pipeline.evaluate.default_limits import proposed_limits
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
fields: {x: {side: item, kind: numeric}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
  like: {kind: binary, label: {rule: event, column: b}, metric: log_loss}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse}
ranking_formula: {weights: {click: 1}}
""")


def _measured(examples: int = 100, positives: int = 30, **metrics: Any) -> Measurement:
    changes = metrics.pop("changes", {})
    buckets = [
        CalibrationBucket(example_count=examples, mean_score=0.3, mean_label=positives / examples)
    ]
    return Measurement(
        field="", value="", example_count=examples, calibration=buckets, changes=changes,
        metrics={name: Estimate(value=v, lower=lo, upper=up) for name, (v, lo, up) in metrics.items()},
        baseline={name: Estimate(value=0.5) for name in changes},
    )  # fmt: skip


def _verdict(task: str, part: Measurement) -> TaskVerdict:
    return {verdict.task: verdict for verdict in task_verdicts(SPEC, {task: [part]})}[task]


def test_an_auc_has_to_be_above_one_half() -> None:
    good = _verdict("click", _measured(auc=(0.60, 0.55, 0.65)))
    assert (good.refusals, good.outcome, good.threshold) == ([], "passed", 0.5)
    assert (good.threshold_text, good.tolerance_text) == ("0.5000 (chance)", "noise")
    assert _verdict("click", _measured(auc=(0.50, 0.499, 0.501))).refusals == [
        "auc 0.5000 is not better than chance, 0.5; a 'threshold' in the spec would decide instead"
    ]


def test_an_auc_that_may_be_chance_passes_as_too_few_to_tell() -> None:
    verdict = _verdict("click", _measured(auc=(0.60, 0.49, 0.71)))
    assert (verdict.refusals, verdict.outcome) == ([], "too few to tell from chance")
    assert proposed_limits(verdict) == {}


def test_any_order_is_chance_for_gauc_and_xauc() -> None:
    for name, metric in (("like", "gauc"), ("watch", "xauc")):
        task = SPEC.tasks[name].model_copy(update={"metric": metric})
        spec = SPEC.model_copy(update={"tasks": SPEC.tasks | {name: task}})

        def verdict(part: Measurement, spec: Any = spec, name: str = name) -> TaskVerdict:
            return {one.task: one for one in task_verdicts(spec, {name: [part]})}[name]

        good = verdict(_measured(**{metric: (0.60, 0.55, 0.65)}))
        assert (good.outcome, good.threshold) == ("passed", 0.5)
        assert proposed_limits(good)["threshold"] == 0.55
        assert (
            "not better than chance, 0.5"
            in verdict(_measured(**{metric: (0.5, 0.4, 0.6)})).refusals[0]
        )


def test_a_gauc_without_a_user_of_both_labels_cannot_be_computed() -> None:
    task = SPEC.tasks["click"].model_copy(update={"metric": "gauc", "threshold": 0.6})
    spec = SPEC.model_copy(update={"tasks": SPEC.tasks | {"click": task}})
    part = _measured(gauc=(None, None, None))
    [refusal] = {one.task: one for one in task_verdicts(spec, {"click": [part]})}["click"].refusals
    assert refusal == (
        "gauc cannot be computed: all its labels of each user or request are alike, or its scores "
        "are not numbers"
    )


def test_a_log_loss_has_to_be_below_that_of_the_base_rate() -> None:
    passing = _measured(log_loss=(0.45, 0.4, 0.5), normalized_entropy=(0.9, 0.85, 0.95))
    verdict = _verdict("like", passing)
    # The log loss of the base rate is .45 / .9.
    assert (verdict.outcome, verdict.threshold) == ("passed", pytest.approx(0.5))
    unsure = _measured(log_loss=(0.45, 0.4, 0.5), normalized_entropy=(0.9, 0.78, 1.02))
    assert _verdict("like", unsure).outcome == "too few to tell from chance"
    failing = _measured(log_loss=(0.51, 0.4, 0.6), normalized_entropy=(1.02, 0.9, 1.1))
    assert "always giving the base rate, 0.5000;" in _verdict("like", failing).refusals[0]


def test_an_mse_has_to_be_below_the_variance_of_the_label() -> None:
    passing = _measured(mse=(2.0, 1.8, 2.2), normalized_mse=(0.5, 0.4, 0.6))
    assert _verdict("watch", passing).outcome == "passed"
    failing = _measured(mse=(2.0, 1.8, 2.2), normalized_mse=(1.0, 0.9, 1.1))
    assert "always giving the mean, 2.0000;" in _verdict("watch", failing).refusals[0]


@pytest.mark.parametrize(
    ("examples", "positives", "outcome"),
    [
        (100, 3, "too few to tell (3 positives)"),
        (100, 1, "too few to tell (1 positive)"),
        (100, 0, "too few to tell (no positives)"),
        (100, 95, "too few to tell (5 negatives)"),
    ],
)
def test_too_few_positives_or_negatives_tell_nothing_and_refuse_nothing(
    examples: int, positives: int, outcome: str
) -> None:
    verdict = _verdict("click", _measured(examples, positives, auc=(0.3, 0.1, 0.6)))
    assert (verdict.refusals, verdict.outcome, verdict.positive_count) == ([], outcome, positives)
    assert proposed_limits(verdict) == {}


def test_a_task_without_an_example_refuses_nothing_where_nobody_set_a_floor() -> None:
    [verdict] = [one for one in task_verdicts(SPEC, {}) if one.task == "click"]
    assert (verdict.refusals, verdict.outcome) == ([], "too few to tell (no examples)")


def test_an_auc_that_cannot_be_computed_from_enough_labels_is_refused() -> None:
    assert "cannot be computed" in _verdict("click", _measured(auc=(None, None, None))).refusals[0]


def test_without_a_tolerance_a_loss_is_refused_only_where_its_interval_tells() -> None:
    def refusals(change: Estimate) -> list[str]:
        return _verdict("click", _measured(auc=(0.7, 0.65, 0.75), changes={"auc": change})).refusals

    part = Estimate(value=-0.02, lower=-0.03, upper=-0.01)
    baseline_is_better = _measured(auc=(0.48, 0.47, 0.49), changes={"auc": part})
    [_, loss] = _verdict("click", baseline_is_better).refusals
    assert loss.endswith("(95 % interval 0.0100 to 0.0300), more than noise")
    assert refusals(Estimate(value=-0.02, lower=-0.03, upper=0.01)) == []
    assert refusals(Estimate(value=-0.02)) == []


def test_a_first_evaluation_proposes_limits_that_its_own_model_passes() -> None:
    verdict = _verdict("click", _measured(auc=(0.71234, 0.70009, 0.72459)))
    # The lower end rounded down, and half the width of the interval, 0.01225, rounded up.
    assert proposed_limits(verdict) == {"threshold": 0.7, "tolerance": 0.0123}
    loss = _verdict("watch", _measured(mse=(2.0, 1.8, 2.2041), normalized_mse=(0.5, 0.4, 0.6)))
    assert proposed_limits(loss) == {"threshold": 2.21, "tolerance": 0.203}


def test_nothing_is_proposed_by_a_model_that_its_task_refuses() -> None:
    refused = _verdict("click", _measured(auc=(0.47, 0.43, 0.52)))
    assert (refused.outcome, proposed_limits(refused)) == ("refused", {})


def test_limits_of_the_spec_are_not_proposed_again() -> None:
    text = SPEC.model_dump(mode="json", exclude_unset=True)
    text["tasks"]["click"] |= {"threshold": 0.6, "tolerance": 0.01}
    spec = type(SPEC).model_validate(text)
    [verdict, *_] = task_verdicts(spec, {"click": [_measured(auc=(0.7, 0.65, 0.75))]})
    assert proposed_limits(verdict) == {}
    assert (verdict.threshold_text, verdict.tolerance_text) == ("0.6", "0.01")


def test_a_spec_says_that_its_limits_are_chance_and_noise() -> None:
    assert _blessing(SPEC.tasks["click"]) == "auc better than chance, down at most by noise"


def test_examples_stand_with_their_positives() -> None:
    assert examples_text(1234, 56) == "1,234 (56 positives)"
    assert examples_text(1234, None) == "1,234"
    assert [too_few(9, None), too_few(10, None), too_few(20, 10)] == [
        "too few to tell (9 examples)",
        "",
        "",
    ]

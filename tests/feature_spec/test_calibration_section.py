"""The section `calibration`: what is valid, and which step reads what of it."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, parse_spec
from pipeline.step_specs import (
    evaluation_spec,
    gain_spec,
    serving_spec,
    training_spec,
    transform_spec,
)

SPEC = """
name: tiny
keys: {user: u}
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  user: {side: user, kind: categorical}
  age: {side: item, kind: numeric}
  size_s: {side: item, kind: numeric, transform: quantiles}
  tags: {side: item, kind: multi_categorical}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
  like: {kind: binary, label: {rule: event, column: b}, metric: auc}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse}
ranking_formula: {weights: {click: 1}}
"""


def section(text: str):
    return parse_spec(SPEC + f"calibration: {{{text}}}\n").calibration


KINDS = {"click": "binary", "like": "binary", "watch": "regression"}


def test_one_method_is_for_all_binary_tasks_and_methods_for_those_that_are_named():
    assert section("method: platt").of_tasks(KINDS) == {"click": "platt", "like": "platt"}
    assert section("methods: {like: isotonic}").of_tasks(KINDS) == {"like": "isotonic"}
    assert section("within: [0.9, 1.1]").of_tasks(KINDS) == {}
    assert parse_spec(SPEC).calibration is None


@pytest.mark.parametrize("by", ["user", "size_s"])
def test_slices_are_values_of_a_categorical_field_or_quantiles(by):
    assert section(f"method: platt, by: {by}, shrinkage: 10").by == by


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs 'method', 'methods' or 'within'"),
        ("method: platt, methods: {click: platt}", "has both 'method' and 'methods'"),
        ("method: beta", "'platt' or 'isotonic'"),
        ("within: [1.1, 1.2]", r"'within' must hold 1, .* received \[1.1, 1.2\]"),
        ("within: [0.9]", "at least 2 items"),
        ("within: [0.9, 1.1], by: user", "'by' and 'shrinkage' need 'method' or 'methods'"),
        ("method: platt, shrinkage: 9", "'shrinkage' needs 'by'"),
        ("methods: {watch: platt}", "only binary tasks have probabilities.*valid: click, like"),
        ("methods: {clik: platt}", "no such binary task: did you mean 'click'"),
        ("method: platt, by: age", "no such categorical field, or numeric one with 'transform: "),
        ("method: platt, by: tags", "no such categorical field"),
        ("method: platt, by: size", "did you mean 'size_s'"),
    ],
)
def test_a_mistake_is_named_with_what_is_valid(text, message):
    with pytest.raises(SpecError, match=message):
        section(text)


def test_a_spec_of_regressions_alone_has_nothing_to_calibrate():
    alone = "\n".join(line for line in SPEC.splitlines() if "binary" not in line)
    alone = alone.replace("{click: 1}", "{watch: 1}")
    with pytest.raises(SpecError, match="needs a binary task"):
        parse_spec(alone + "\ncalibration: {method: platt}\n")


def test_it_changes_no_fingerprint():
    calibrated = parse_spec(SPEC + "calibration: {method: platt, by: user}\n")
    assert calibrated.fingerprint == parse_spec(SPEC).fingerprint


FITS = "method: platt, by: user, shrinkage: 9"
LIMITS = "within: [0.9, 1.1]"


@pytest.mark.parametrize("step", [training_spec, serving_spec])
def test_the_trainer_reads_how_to_fit_and_not_the_limits(step):
    both, fit, limits, plain = (
        step(parse_spec(SPEC + f"calibration: {{{text}}}\n" if text else SPEC))
        for text in (f"{FITS}, {LIMITS}", FITS, LIMITS, "")
    )
    assert both == fit != plain == limits
    assert parse_spec(fit).calibration == section(FITS)


def test_the_evaluator_reads_the_limits_alone():
    both, fit, limits, plain = (
        evaluation_spec(parse_spec(SPEC + f"calibration: {{{text}}}\n" if text else SPEC))
        for text in (f"{FITS}, {LIMITS}", FITS, LIMITS, "")
    )
    assert both == limits != plain == fit
    assert parse_spec(limits).calibration.within == [0.9, 1.1]


@pytest.mark.parametrize("step", [transform_spec, gain_spec])
def test_other_steps_read_nothing_of_it(step):
    assert step(parse_spec(SPEC + f"calibration: {{{FITS}, {LIMITS}}}\n")) == step(parse_spec(SPEC))

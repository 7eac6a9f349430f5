"""Heads of regressions in the spec."""

from __future__ import annotations

import pytest

from feature_spec.loading import SpecError, parse_spec
from feature_spec.tasks.head import head_text

TEXT = """
name: tiny
logs: {exposures: {path: a, format: jsonl}}
split: {evaluation_files: [a]}
fields:
  duration_s: {side: item, kind: categorical, vocabulary: {min_count: 1, oov_buckets: 1}}
tasks:
  click: {kind: binary, label: {rule: event, column: a}, metric: auc}
  watch: {kind: regression, label: {rule: column, column: c}, metric: mse%s}
ranking_formula: {weights: {click: 1, watch: 1}}
"""


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("", ""),
        (", head: ordinal", "ordinal, 20 cuts"),
        (", head: ordinal, cuts: 8", "ordinal, 8 cuts"),
        (", head: ordinal, cuts: [0, 2.5, 60]", "ordinal, cuts at 0, 2.5, 60"),
        (", head: quantiles, levels: 9", "9 quantiles"),
    ],
)
def test_a_regression_may_have_a_head(settings, text):
    assert head_text(parse_spec(TEXT % settings).tasks["watch"]) == text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (", head: ordinal, quantile_within: duration_s", "does not go with 'quantile_within'"),
        (", cuts: 8", "needs 'head: ordinal', which alone reads it"),
        (", head: ordinal, levels: 8", "needs 'head: quantiles', which alone reads it"),
        (", head: quantiles, cuts: 8", "needs 'head: ordinal', which alone reads it"),
        (", head: ordinal, cuts: [0, 1]", "at least 3 ascending numbers"),
        (", head: ordinal, cuts: [0, 5, 5]", "at least 3 ascending numbers"),
        (", head: ordinal, cuts: 1", "cuts"),
        (", head: mixture", "head"),
    ],
)
def test_what_a_head_cannot_do_is_refused_with_its_reason(settings, message):
    with pytest.raises(SpecError, match=message):
        parse_spec(TEXT % settings)


def test_a_binary_task_has_no_head():
    text = TEXT.replace("metric: auc", "metric: auc, head: quantiles") % ""
    with pytest.raises(SpecError, match="needs a regression, whose label is a number"):
        parse_spec(text)


def test_a_head_changes_nothing_that_clients_and_models_agree_on():
    plain, headed = (parse_spec(TEXT % settings) for settings in ("", ", head: quantiles"))
    assert plain.fingerprint == headed.fingerprint

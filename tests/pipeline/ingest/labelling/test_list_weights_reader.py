"""Weights of lists in a log: columns of values and weights, and why rows are rejected."""

from __future__ import annotations

from typing import Any

import pytest

from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.value_readers import ListWeightsReader


def read(values: list[Any], weights: list[Any]) -> tuple[list[Any], Problems]:
    problems: Problems = {}
    reader = ListWeightsReader("scores", "tags", 2, ",", frozenset({"", "?"}))
    return reader(values, weights, problems).to_pylist(), problems


def test_rows_without_weights_have_none_and_others_one_for_each_kept_value():
    rows, problems = read(
        [["a"], "a,b,c", None, ["a"], ["a", "?"]], [[2.0], "3,2,1", None, "?", [1, 2]]
    )
    assert rows == [[2.0, 0.0], [3.0, 2.0], None, None, [1.0, 0.0]]
    assert not problems


@pytest.mark.parametrize(
    ("values", "weights", "reason"),
    [
        (["a"], [1.0, 2.0], Reason.WRONG_LENGTH),
        (None, [1.0], Reason.WRONG_LENGTH),
        (["a"], [-1.0], Reason.OUT_OF_RANGE),
        (["a"], [1e39], Reason.OUT_OF_RANGE),
        (["a"], [float("inf")], Reason.NOT_FINITE),
        (["a"], ["x"], Reason.WRONG_TYPE),
        (["a"], 1.0, Reason.WRONG_TYPE),
        (["a"], UnusableValue(Reason.MALFORMED, "twice"), Reason.MALFORMED),
    ],
)
def test_a_row_whose_weights_do_not_fit_is_rejected_with_column_and_reason(values, weights, reason):
    rows, problems = read([["b"], values], [[1.0], weights])
    assert rows == [[1.0, 0.0], None]
    assert list(problems) == [1]
    assert problems[1].reason == reason
    assert problems[1].detail.startswith("scores: ")


def test_values_that_cannot_be_read_are_rejected_for_themselves_alone():
    rows, problems = read([UnusableValue(Reason.MALFORMED, "twice")], [[1.0]])
    assert rows == [None]
    assert not problems

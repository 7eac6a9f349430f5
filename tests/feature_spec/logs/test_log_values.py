"""Values of logs beside the values of `equals` and `where`."""

from __future__ import annotations

from typing import Any

import pytest

from feature_spec.logs.log_values import UnusableLineError, event_reader
from feature_spec.logs.logs import Logs
from feature_spec.tasks.label_rule import EventRule, SampleSpace


def _is_one_of(equals: list[Any], value: Any) -> bool:
    return event_reader("c", equals, [""])(value)


@pytest.mark.parametrize("value", [4, 4.0, "4", "4.0", " 4 ", "4e0", "+4"])
def test_a_number_of_equals_is_met_in_any_spelling(value: Any) -> None:
    assert _is_one_of([4, 5], value)


@pytest.mark.parametrize("value", [3, 4.5, "4.5", "four", "", None, True, 2**53, "4_0"])
def test_other_values_do_not_equal_a_number(value: Any) -> None:
    assert not _is_one_of([4, 1], value)


def test_a_fraction_of_equals_is_met_by_texts_and_by_floats_of_32_bits() -> None:
    # The float of 32 bits nearest to 0.1 is 0.100000001490116…
    assert all(_is_one_of([0.1], value) for value in (0.1, "0.1", "0.10", 0.10000000149011612))
    assert not _is_one_of([0.1], 0.11)


def test_large_whole_numbers_are_not_rounded_to_32_bits() -> None:
    # The float of 32 bits nearest to 16,777,217 is 16,777,216.
    assert all(_is_one_of([16_777_217], value) for value in (16_777_217, "16777217"))
    assert not any(_is_one_of([16_777_217], value) for value in (16_777_216, "16777216"))


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE"])
def test_a_truth_value_of_equals_is_met_in_any_spelling(value: Any) -> None:
    assert _is_one_of([True], value)
    assert not _is_one_of([False], value)


def test_numbers_and_truth_values_of_equals_are_told_apart() -> None:
    assert not _is_one_of([True], 1)
    assert not _is_one_of([1], True)
    assert _is_one_of([1], 1)


def test_texts_of_equals_are_compared_as_they_are() -> None:
    assert _is_one_of(["4"], 4)  # as the text of a category
    assert not _is_one_of(["4"], "4.0")
    with pytest.raises(UnusableLineError, match="a category is a text, an integer or a truth"):
        _is_one_of(["4"], 4.5)


def test_a_text_that_is_no_unicode_is_refused_beside_numbers_too() -> None:
    with pytest.raises(UnusableLineError, match="surrogate"):
        _is_one_of([4, True], "\ud800")


def test_one_value_of_equals_stands_for_a_list_of_one() -> None:
    rule = EventRule.model_validate({"rule": "event", "column": "rating", "equals": 5})
    assert rule.equals == [5]
    assert SampleSpace.model_validate({"event": "ok", "equals": [True, 4.5, "a"]}).text == (
        "ok in true, 4.5, a"
    )


@pytest.mark.parametrize(("where", "named"), [("a", "'a'"), (0, "0"), (["b", ""], "''")])
def test_a_condition_that_asks_for_a_missing_value_is_refused(where: Any, named: str) -> None:
    logs: dict[str, Any] = {
        "exposures": {"path": "x", "format": "csv"},
        "tables": {"items": {"path": "y", "format": "csv", "key": "k", "where": {"c": where}}},
    }
    message = rf"tables\.items\.where\.c: {named} stands for a missing value by 'missing_values'"
    with pytest.raises(ValueError, match=message):
        Logs.model_validate({**logs, "missing_values": ["", "a", "0.0"]})
    logs["tables"]["items"]["where"] = {"c": "b"}
    assert Logs.model_validate(logs).tables["items"].where == {"c": ["b"]}

"""Values of logs and requests become texts and numbers in one way."""

from __future__ import annotations

import pytest

from feature_spec.fields.values import category_text, finite_number, is_missing, list_elements


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (7, "7"), (7.0, "7"), (True, "true"), (False, "false"), ("", "")],
)
def test_a_category_has_one_text(value, text):
    assert category_text(value) == text


@pytest.mark.parametrize("value", [1.5, None, [1], {"a": 1}])
def test_what_has_no_one_text_is_refused(value):
    with pytest.raises(ValueError, match="a text, an integer or a truth value"):
        category_text(value)


@pytest.mark.parametrize(("value", "number"), [(1, 1.0), ("12.5", 12.5), (True, 1.0), (" 3 ", 3.0)])
def test_a_number_may_stand_as_text(value, number):
    assert finite_number(value) == number


@pytest.mark.parametrize("value", ["", "abc", None, [1], float("nan"), "inf", "1e999"])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="number is needed; received"):
        finite_number(value)


@pytest.mark.parametrize(
    ("value", "missing"),
    [(None, True), ("", True), ("-", True), ("a", False), (0, False), (False, False), ([], False)],
)
def test_none_an_empty_text_and_the_specs_texts_are_missing(value, missing):
    assert is_missing(value, ["-"]) is missing


@pytest.mark.parametrize(
    ("value", "elements"),
    [(["a", 7], ["a", 7]), (("a",), ["a"]), ("a| b |", ["a", "b", ""]), (7, [7]), ([], [])],
)
def test_a_list_may_be_a_text_with_separators_or_one_value(value, elements):
    assert list_elements(value, "|") == elements

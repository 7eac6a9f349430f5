"""Values of logs and requests become texts and numbers in one way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.fields.values import (
    category_text,
    finite_number,
    is_missing,
    is_missing_number,
    list_elements,
)


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


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -1.0,
        "-1",
        np.int64(-1),
        np.float32(-1),
        pa.scalar(-1),
        pa.scalar(-1.0),
        float("nan"),
        np.float64("nan"),
        np.float32("nan"),
        pa.scalar(float("nan")),
        -99.9,
        np.float32(-99.9),
        float(np.float32(-99.9)),
        9007199254740993,
        10**30,
        True,
        np.bool_(True),
        pa.scalar(value=True),
        np.str_("-1"),
        float("inf"),
    ],
)
def test_a_value_is_missing_by_any_spelling_of_its_number_or_truth(value):
    spelt = ["-1", "NaN", "-99.9", "9007199254740993", f"{10**30}", "True", "Infinity"]
    assert is_missing(value, spelt)


@pytest.mark.parametrize(
    "value",
    [1, -1.5, 9007199254740992, 0, False, np.int64(1), float("-inf"), "nan", "-1.0", "true"],
)
def test_another_number_or_text_is_not_missing(value):
    assert not is_missing(value, ["-1", "NaN", "9007199254740993", "True", "inf", "1_0", "١"])


@pytest.mark.parametrize("text", ["-1.0", "-1e0", " -1 ", "-01", "nan", "+NaN"])
def test_where_a_number_is_needed_any_spelling_of_a_missing_one_is_missing(text):
    assert is_missing_number(text, ["-1", "NaN"])
    assert not is_missing_number(text, ["-2", "x", ""])


@pytest.mark.parametrize(
    "text", ["1_000", "１２", "٣", "0x10", "1,5", "1 000", "1e", ".", "+", "- 5", "1.2.3", "५"]
)
def test_a_number_that_only_some_readers_take_is_refused(text):
    with pytest.raises(ValueError, match="a number is needed"):
        finite_number(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("+5", 5.0), ("1e5", 1e5), (".5", 0.5), ("5.", 5.0), ("-0", 0.0), ("007", 7)],
)
def test_a_number_in_decimal_notation_is_exact(text, number):
    assert finite_number(text) == number


@pytest.mark.parametrize(
    "value",
    [
        2.0**53,
        -(2.0**53),
        1e300,
        9007199254740992.0,
        np.float32(2**24),
        np.float16(2**11),
        np.float64(2**53),
    ],
)
def test_a_category_that_other_values_would_share_is_refused(value):
    with pytest.raises(ValueError, match="a category"):
        category_text(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.0**53 - 1, "9007199254740991"),
        (-0.0, "0"),
        (2**64 + 1, "18446744073709551617"),
        (np.float32(2**24 - 1), "16777215"),
        (np.int64(2**53 + 1), "9007199254740993"),
        (np.bool_(False), "false"),
    ],
)
def test_a_whole_number_of_any_type_has_its_digits_as_text(value, text):
    assert category_text(value) == text


@given(st.one_of(st.integers(), st.floats()), st.one_of(st.integers(), st.floats()))
def test_different_numbers_never_share_a_category(one, other):
    try:
        texts = category_text(one), category_text(other)
    except ValueError:
        return
    assert (texts[0] == texts[1]) == (one == other)


def test_an_integer_of_more_digits_than_python_prints_is_refused_with_its_size():
    with pytest.raises(ValueError, match="16,610 bits"):
        category_text(10**5000)
    with pytest.raises(ValueError, match="16,610 bits"):
        finite_number(10**5000)

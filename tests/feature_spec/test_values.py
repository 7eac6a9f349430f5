"""Values of logs and requests become texts and numbers in one way."""

from __future__ import annotations

import pytest

from feature_spec.values import category_text, finite_number


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (7, "7"), (7.0, "7"), (True, "true"), (False, "false"), ("", "")])
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

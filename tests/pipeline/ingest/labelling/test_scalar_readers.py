"""Values of a log become texts, numbers and events, or say what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.labelling.scalar_readers import (
    event_reader,
    list_reader,
    number_reader,
    text_reader,
)

MISSING = frozenset({"", "?"})


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", b"a b"), (7, b"7"), (7.0, b"7"), (True, b"true"), ("7.0", b"7.0"), ("é", b"\xc3\xa9")],
)
def test_a_category_is_a_text(value: Any, text: bytes) -> None:
    assert text_reader("c", MISSING)(value) == text


def test_equal_values_of_different_types_keep_their_own_texts() -> None:
    read = text_reader("c", MISSING)
    assert [read(1), read(True), read(1.0), read(1)] == [b"1", b"true", b"1", b"1"]


@pytest.mark.parametrize("value", [None, "", "?"])
def test_a_missing_value_is_none_for_every_reader_but_that_of_events(value: Any) -> None:
    readers = (
        text_reader("c", MISSING),
        list_reader("c", ",", MISSING),
        number_reader("c", MISSING),
    )
    assert [read(value) for read in readers] == [None] * 3
    assert event_reader("c", None, MISSING)(value) is False
    assert event_reader("c", ["?"], MISSING)(value) is False


def test_an_empty_text_is_missing_even_if_the_spec_does_not_say_so() -> None:
    assert text_reader("c", frozenset({"NA"}))("") is None


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (["a", 2, None, "?"], (b"a", b"2")),
        ("a, b,,?", (b"a", b"b")),
        (39, (b"39",)),
        ([], None),
        ([None], None),
        (",", None),
    ],
)
def test_a_list_drops_missing_elements_and_is_missing_when_empty(
    value: Any, texts: tuple[bytes, ...] | None
) -> None:
    assert list_reader("c", ",", MISSING)(value) == texts


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), ("12.5", 12.5), ("-1e3", -1000.0), (True, 1.0), (0, 0.0)]
)
def test_a_number_may_be_a_text(value: Any, number: float) -> None:
    assert number_reader("c", MISSING)(value) == number


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a while", Reason.WRONG_TYPE),
        ([1], Reason.WRONG_TYPE),
        ({"a": 1}, Reason.WRONG_TYPE),
        (float("nan"), Reason.NOT_FINITE),
        (float("inf"), Reason.NOT_FINITE),
        ("NaN", Reason.NOT_FINITE),
        ("-Infinity", Reason.NOT_FINITE),
        (1e300, Reason.OUT_OF_RANGE),
        (10**400, Reason.OUT_OF_RANGE),
        (-0.5, Reason.OUT_OF_RANGE),
        (10.5, Reason.OUT_OF_RANGE),
    ],
)
def test_a_number_that_cannot_be_used_says_why(value: Any, reason: Reason) -> None:
    with pytest.raises(UnusableLineError) as raised:
        number_reader("price", MISSING, minimum=0.0, maximum=10.0)(value)
    assert raised.value.reason == reason
    assert raised.value.detail.startswith("price: ")


def test_the_bounds_themselves_are_valid() -> None:
    read = number_reader("c", MISSING, minimum=0.0, maximum=10.0)
    assert (read(0), read(10)) == (0.0, 10.0)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.5, Reason.WRONG_TYPE),
        (["a"], Reason.WRONG_TYPE),
        ({}, Reason.WRONG_TYPE),
        (float("nan"), Reason.NOT_FINITE),
        ("\ud800", Reason.WRONG_ENCODING),
    ],
)
def test_a_category_that_cannot_be_used_says_why(value: Any, reason: Reason) -> None:
    with pytest.raises(UnusableLineError) as raised:
        text_reader("tab", MISSING)(value)
    assert raised.value.reason == reason
    assert raised.value.detail.startswith("tab: ")


@pytest.mark.parametrize(
    ("value", "happened"),
    [(1, True), (0, False), (3, True), (-1, False), ("1", True), ("0", False), ("2.0", True), (True, True), (False, False),
     ("true", True), ("False", False)],
)  # fmt: skip
def test_an_event_is_a_flag_or_a_count(value: Any, happened: bool) -> None:
    assert event_reader("c", None, MISSING)(value) is happened


@pytest.mark.parametrize(
    ("value", "happened"), [("click", True), ("play", False), (7, True), ("7", True), (True, False)]
)
def test_an_event_may_be_one_of_some_texts(value: Any, happened: bool) -> None:
    assert event_reader("c", ["click", "7"], MISSING)(value) is happened


@pytest.mark.parametrize(
    ("value", "reason"),
    [("yes", Reason.WRONG_TYPE), ([1], Reason.WRONG_TYPE), (float("nan"), Reason.NOT_FINITE)],
)
def test_an_event_that_is_neither_flag_nor_count_says_why(value: Any, reason: Reason) -> None:
    with pytest.raises(UnusableLineError) as raised:
        event_reader("clicked", None, MISSING)(value)
    assert raised.value.reason == reason
    assert raised.value.detail.startswith("clicked: a flag or a count is needed; received ")

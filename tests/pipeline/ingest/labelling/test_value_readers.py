"""Values of a log become texts, numbers and events, or say what is wrong; whole columns to the same effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.fields.values import narrow_float
from feature_spec.logs.log_values import (
    UnusableValue,
    event_reader,
    list_reader,
    number_reader,
    text_reader,
)
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.formats.text_formats import parse_json
from pipeline.ingest.labelling.value_readers import (
    EventReader,
    ListReader,
    NumberReader,
    TextReader,
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


@pytest.mark.parametrize(
    "values", [[-1, 5], [-1.0, 5.0], ["-1", "5"], ["-1.0", "5"], [-1, 5.0], ["-1", 5]]
)
def test_a_missing_number_is_missing_in_every_format(values: list[Any]) -> None:
    numbers = NumberReader("c", MISSING_OR_NUMBER)(values, {})
    assert (np.isnan(numbers[0]), numbers[1]) == (True, 5.0)


@pytest.mark.parametrize("values", [[float("nan"), 5.0], ["NaN", "5"], ["nan", 5], [None, 5]])
def test_nan_is_missing_where_the_spec_says_so(values: list[Any]) -> None:
    problems: Problems = {}
    numbers = NumberReader("c", MISSING_NAN)(values, problems)
    assert (np.isnan(numbers[0]), numbers[1], problems) == (True, 5.0, {})


@pytest.mark.parametrize("text", ["1_000", "１２", "0x10", "1,5"])
def test_a_number_written_in_an_odd_way_is_rejected_alone_and_among_others(text: str) -> None:
    for values in ([text], ["1", text, "2"]):
        problems: Problems = {}
        NumberReader("c", MISSING)(values, problems)
        assert [one.reason for one in problems.values()] == [Reason.WRONG_TYPE]


MISSING_OR_NUMBER = frozenset({"", "?", "-1"})
MISSING_NAN = frozenset({"nan", "0.0", "true"})
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "?",
            "-1",
            "1",
            "1.5",
            "NaN",
            "true",
            "False",
            "a,b",
            "1e400",
            " 2 ",
            "1_0",
            "-1.0",
            "１２",
            "0x10",
            "+5",
            "Infinity",
            "1,5",
            "-1e0",
        ]
    ),
    st.text(max_size=5),
)
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.sampled_from([0.0, -0.0, 3.4e38, 3.5e38, 10**400, 2.0, -1, -1.0, float("nan")]),
    st.sampled_from([narrow_float(2.0**24, 4), UnusableValue(Reason.MALFORMED, "given twice")]),
)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    NUMBERS,
    st.booleans(),
    st.lists(st.one_of(st.none(), TEXTS, st.integers()), max_size=3),
)
# Columns of one type, which have short cuts, and of several.
COLUMNS = st.one_of(*(st.lists(st.one_of(kind, st.none()), max_size=8) for kind in (TEXTS, NUMBERS)),
                    st.lists(TEXTS, max_size=8), st.lists(st.floats(), max_size=8), st.lists(VALUES, max_size=8),
                    st.lists(st.lists(TEXTS, max_size=3), max_size=8))  # fmt: skip


MISSING_SETS = st.sampled_from([MISSING_OR_NUMBER, MISSING_NAN])


def _one_by_one(read: Callable[[Any], Any], values: list[Any]) -> tuple[list[Any], dict[int, str]]:
    results: list[Any] = []
    problems = {}
    for position, value in enumerate(values):
        try:
            results.append(read(value))
        except UnusableLineError as problem:
            results.append(None)
            problems[position] = f"{problem.reason}: {problem.detail}"
    return results, problems


def _as_column(
    read: Callable[[list[Any], Problems], Any], values: list[Any]
) -> tuple[list[Any], dict[int, str]]:
    problems: Problems = {}
    column = read(values, problems)
    if isinstance(column, pa.Array):
        results = [tuple(one) if isinstance(one, list) else one for one in column.to_pylist()]
    else:
        results = [
            None if isinstance(one, float) and np.isnan(one) else one for one in column.tolist()
        ]
    return results, {
        position: f"{problem.reason}: {problem.detail}"
        for position, problem in sorted(problems.items())
    }


@given(COLUMNS, MISSING_SETS)
def test_texts(values: list[Any], missing: frozenset[str]) -> None:
    assert _as_column(TextReader("c", missing), values) == _one_by_one(
        text_reader("c", missing), values
    )


@given(COLUMNS, MISSING_SETS)
def test_lists(values: list[Any], missing: frozenset[str]) -> None:
    assert _as_column(ListReader("c", ",", missing), values) == _one_by_one(
        list_reader("c", ",", missing), values
    )


@given(
    COLUMNS,
    st.sampled_from([None, 0.0, -2.0]),
    st.sampled_from([None, 1.0, 1e300]),
    st.sampled_from([MISSING_OR_NUMBER, MISSING_NAN, frozenset({"?"})]),
)
def test_numbers(
    values: list[Any], minimum: float | None, maximum: float | None, missing: frozenset[str]
) -> None:
    bounds = (missing, minimum, maximum)
    assert _as_column(NumberReader("c", *bounds), values) == _one_by_one(
        number_reader("c", *bounds), values
    )


@given(COLUMNS, st.sampled_from([None, ["1", "a", "true"]]))
def test_events(values: list[Any], equals: list[str] | None) -> None:
    results, problems = _one_by_one(event_reader("c", equals, MISSING_OR_NUMBER), values)
    assert _as_column(EventReader("c", equals, MISSING_OR_NUMBER), values) == (
        [bool(result) for result in results],
        problems,
    )


def test_a_reader_keeps_its_results_when_it_has_seen_many_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.ingest.labelling.value_readers._REMEMBERED_VALUES", 3)
    read = TextReader("c", MISSING_OR_NUMBER)
    for start in range(5):
        values = [f"{number}" for number in range(start, start + 10)]
        assert read(values, {}).to_pylist() == [value.encode() for value in values]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(2**62, 2**66),
        st.floats(),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.booleans())
def test_the_fast_json_parser_reads_what_the_slow_one_does(
    record: dict[str, Any], ascii_only: bool
) -> None:
    line = json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", errors="surrogatepass")
    try:
        line.decode()
    except UnicodeDecodeError:
        return
    assert repr(parse_json(line)) == repr(json.loads(line))


def test_the_fast_json_parser_alone_would_round_long_integers() -> None:
    line = b'{"id": 123456789012345678901}'
    assert orjson.loads(line) != json.loads(line) == parse_json(line)

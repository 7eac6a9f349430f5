"""A line becomes a record or says what is wrong with it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.record_batch import Problems, TextRows
from pipeline.ingest.formats.text_formats import (
    header_columns,
    parse_csv,
    parse_json,
    parse_json_lines,
)
from pipeline.ingest.labelling.value_readers import TextReader


def _csv(line: bytes, *columns: str, delimiter: str = ",") -> dict[str, str]:
    return dict(
        zip(
            columns,
            (value.strip() for value in parse_csv(line, delimiter, len(columns))),
            strict=True,
        )
    )


def test_a_json_object_is_a_record() -> None:
    assert parse_json('{"a": 1, "b": ["x"], "c": "ü"}'.encode()) == {"a": 1, "b": ["x"], "c": "ü"}


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"", Reason.EMPTY_LINE, "nothing but white space"),
        (b" \t ", Reason.EMPTY_LINE, "nothing but white space"),
        (b'{"a": 1, "b"', Reason.MALFORMED, "not JSON: Expecting ':' delimiter"),
        (b"[1, 2]", Reason.MALFORMED, "a JSON object is needed; received a list"),
        (b'{"a": "caf\xe9"}', Reason.WRONG_ENCODING, "not UTF-8: byte 0xe9 at 10"),
        (b'{"a": ' + b"[" * 100_000, Reason.MALFORMED, "not JSON: maximum recursion depth"),
        (b'{"a": ' + b"9" * 5000 + b"}", Reason.MALFORMED, "not JSON: Exceeds the limit"),
    ],
)
def test_a_line_that_is_no_json_object_says_why(line: bytes, reason: Reason, detail: str) -> None:
    with pytest.raises(UnusableLineError) as raised:
        parse_json(line)
    assert raised.value.reason == reason
    assert raised.value.detail.startswith(detail)


# Pieces of lines that together, but not by themselves, may be JSON.
PIECES = st.sampled_from(
    [
        b"{}",
        b",",
        b"{",
        b"}",
        b"[",
        b"]",
        b'{"a": 1}',
        b'{"a": [{}',
        b'{"a": NaN}',
        b"0",
        b'"',
        b"\xe9",
        b" ",
    ]
)


@given(st.lists(st.lists(PIECES, max_size=3).map(b"".join), min_size=1, max_size=5))
def test_lines_parsed_together_are_those_parsed_one_by_one(lines: list[bytes]) -> None:
    together = parse_json_lines(lines)
    if together is not None:
        assert together == [parse_json(line) for line in lines]


def test_lines_are_parsed_together_unless_one_needs_a_look_for_itself() -> None:
    assert parse_json_lines([b'{"a": 1}', b"{}"]) == [{"a": 1}, {}]
    # Joined by commas, these would be the three objects of three lines.
    assert parse_json_lines([b'{"a": [{}', b"{}]}", b"{}, {}"]) is None
    assert parse_json_lines([b'{"a": 1}', b'{"a": 123456789012345678901}']) is None


def test_csv_values_are_stripped() -> None:
    assert _csv(b"38, Private ,\t6", "age", "work", "industry") == {
        "age": "38",
        "work": "Private",
        "industry": "6",
    }


def test_a_quoted_csv_value_may_hold_delimiters_and_quotes() -> None:
    assert _csv(b'1, "[100,1k)","say ""hi""", " 2 "', "a", "b", "c", "d") == {
        "a": "1",
        "b": "[100,1k)",
        "c": 'say "hi"',
        "d": "2",
    }


def test_another_delimiter_separates_values() -> None:
    assert _csv(b"1;a,b", "x", "y", delimiter=";") == {"x": "1", "y": "a,b"}


def test_an_empty_csv_value_is_an_empty_text() -> None:
    assert _csv(b"1,,3", "a", "b", "c")["b"] == ""


def test_a_quoted_value_may_be_as_long_as_a_line() -> None:
    value = "x" * 500_000
    assert _csv(f'"{value}",1'.encode(), "a", "b")["a"] == value


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"", Reason.EMPTY_LINE, "nothing but white space"),
        (b"1", Reason.MALFORMED, "2 values are needed; received 1"),
        (b"1,2,3", Reason.MALFORMED, "2 values are needed; received 3"),
        (b'1,"open', Reason.MALFORMED, "not CSV: unexpected end of data"),
        (b"1,\xff", Reason.WRONG_ENCODING, "not UTF-8: byte 0xff at 2"),
    ],
)
def test_a_csv_line_that_is_no_record_says_why(line: bytes, reason: Reason, detail: str) -> None:
    with pytest.raises(UnusableLineError) as raised:
        _csv(line, "a", "b")
    assert (raised.value.reason, raised.value.detail) == (reason, detail)


def test_a_header_names_its_columns() -> None:
    assert header_columns(b'user_id, "tag, first",time ', ",") == ["user_id", "tag, first", "time"]


def test_a_header_may_leave_several_columns_without_a_name() -> None:
    assert header_columns(b"a,,,b", ",") == ["a", "", "", "b"]
    rows = TextRows(["a", "", "", "b"], [["1", "x", "y", "2"]])
    assert (rows.column("a"), rows.column("b")) == (["1"], ["2"])


def test_a_header_that_names_a_column_twice_is_refused() -> None:
    with pytest.raises(UnusableLineError, match="column 'a' occurs more than once"):
        header_columns(b"a,b,a", ",")


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1, "b": 0, "a": 2}',
        b'{"a" : 1, "b" : 0, "a" : 2}',
        b'{"a":1,"b":0,"\\u0061":2}',
        b'{"a": {"x": 1}, "b": 0, "a": {"x": 2}}',
        b'{"a": "\\":", "b": 0, "a": 2}',
        b'{"a": 1, "a": 1, "b": 0, "a": 2}',
    ],
)
def test_of_a_key_given_twice_no_value_is_taken_for_the_right_one(line: bytes) -> None:
    record = parse_json(line)
    assert isinstance(record["a"], UnusableValue)
    assert record["b"] == 0
    assert parse_json_lines([b"{}", line]) is None


@pytest.mark.parametrize(
    "line", [b'{"a": "x\\":y", "b" :1}', b'{"a": {"b": 1}, "b": [{"b": 2}]}', b'{"a": ":", ":": 1}']
)
def test_a_key_that_is_given_once_on_each_level_is_not_given_twice(line: bytes) -> None:
    assert parse_json(line) == json.loads(line)


@pytest.mark.parametrize("value", [b"9007199254740993.0", b"1e300", b"1.5"])
def test_a_json_float_that_is_no_exact_whole_number_is_no_category(value: bytes) -> None:
    record = parse_json(b'{"id": %b}' % value)
    problems: Problems = {}
    TextReader("id", [""])([record["id"]], problems)
    assert problems[0].reason == Reason.WRONG_TYPE

"""Whole columns are read to the effect of reading value by value."""

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

from pipeline.ingest.accounting.rejection import UnusableLineError
from pipeline.ingest.formats.parsing import parse_json
from pipeline.ingest.labelling.column_readers import (
    EventReader,
    ListReader,
    NumberReader,
    TextReader,
)
from pipeline.ingest.labelling.scalar_readers import (
    event_reader,
    list_reader,
    number_reader,
    text_reader,
)
from pipeline.ingest.sources.rows import Problems

MISSING = frozenset({"", "?", "-1"})
TEXTS = st.one_of(
    st.sampled_from(
        ["", "?", "-1", "1", "1.5", "NaN", "true", "False", "a,b", "1e400", " 2 ", "1_0"]
    ),
    st.text(max_size=5),
)
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.sampled_from([0.0, -0.0, 3.4e38, 3.5e38, 10**400, 2.0]),
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


@given(COLUMNS)
def test_texts(values: list[Any]) -> None:
    assert _as_column(TextReader("c", MISSING), values) == _one_by_one(
        text_reader("c", MISSING), values
    )


@given(COLUMNS)
def test_lists(values: list[Any]) -> None:
    assert _as_column(ListReader("c", ",", MISSING), values) == _one_by_one(
        list_reader("c", ",", MISSING), values
    )


@given(
    COLUMNS,
    st.sampled_from([None, 0.0, -2.0]),
    st.sampled_from([None, 1.0, 1e300]),
    st.sampled_from([MISSING, frozenset({"?"})]),
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
    results, problems = _one_by_one(event_reader("c", equals, MISSING), values)
    assert _as_column(EventReader("c", equals, MISSING), values) == (
        [bool(result) for result in results],
        problems,
    )


def test_a_reader_keeps_its_results_when_it_has_seen_many_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.ingest.labelling.column_readers._REMEMBERED_VALUES", 3)
    read = TextReader("c", MISSING)
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

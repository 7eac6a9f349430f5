"""Vectors of a log: columns read at once and value by value, and the features that they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.fields.values import narrow_float
from feature_spec.logs.log_values import UnusableValue, vector_reader
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.example_features import example_messages, vector_features
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.value_readers import VectorReader

MISSING = frozenset({"", "?"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1.0], Reason.WRONG_LENGTH),
        ([1.0, 2.0, 3.0], Reason.WRONG_LENGTH),
        ("1;2;3", Reason.WRONG_LENGTH),
        ([1.0, float("nan")], Reason.NOT_FINITE),
        (["1", "inf"], Reason.NOT_FINITE),
        ([1.0, 1e39], Reason.OUT_OF_RANGE),
        ([1.0, None], Reason.WRONG_TYPE),
        ([1.0, "x"], Reason.WRONG_TYPE),
        (3.0, Reason.WRONG_TYPE),
        ({"a": 1}, Reason.WRONG_TYPE),
        (UnusableValue(Reason.MALFORMED, "twice"), Reason.MALFORMED),
    ],
)
def test_what_is_no_vector_is_rejected_with_its_column_and_reason(
    value: Any, reason: Reason
) -> None:
    with pytest.raises(UnusableLineError, match="look: ") as refusal:
        vector_reader("look", 2, ";", MISSING)(value)
    assert refusal.value.reason == reason


@pytest.mark.parametrize("value", [None, "", "?", [], ()])
def test_a_missing_vector_is_none(value: Any) -> None:
    assert vector_reader("look", 2, ";", MISSING)(value) is None


VALUES = st.one_of(
    st.none(),
    st.lists(
        st.one_of(
            st.floats(width=32),
            st.integers(-(10**6), 10**6),
            st.sampled_from([True, "1.5", "x", 1e39, narrow_float(3000.0, 2)]),
        ),
        max_size=3,
    ),
    st.sampled_from(["1;2", "1;nan", "?", 5.0]),
)


@given(st.lists(VALUES, max_size=6))
def test_a_column_is_read_as_its_values_are(values: list[Any]) -> None:
    read_one = vector_reader("look", 2, ";", MISSING)
    problems: Problems = {}
    found = VectorReader("look", 2, ";", MISSING)(values, problems).to_pylist()
    for position, value in enumerate(values):
        expected, reason = None, None
        try:
            expected = read_one(value)
        except UnusableLineError as problem:
            reason = problem.reason
        assert (problems[position].reason if position in problems else None) == reason
        assert found[position] == (None if expected is None else np.float32(expected).tolist())


def test_a_column_of_whole_vectors_is_float32() -> None:
    problems: Problems = {}
    column = VectorReader("look", 2, ";", MISSING)([[1, 2.5], [0.1, -1]], problems)
    assert column.type == pa.list_(pa.float32())
    assert column.to_pylist() == [[1.0, 2.5], [np.float32(0.1).item(), -1.0]]
    assert not problems


@pytest.mark.parametrize(
    "vectors",
    [
        [[1.0, 2.0, 3.0], None, [4.0, 5.0, 6.0]],
        [None, None],
        [None, [0.0] * 200, [1.0] * 200, None],
        [],
    ],
)
def test_a_serialised_vector_is_the_float_list_of_protocol_buffers(vectors: list[Any]) -> None:
    from tensorflow.core.example import example_pb2

    features = vector_features("look", pa.array(vectors, pa.list_(pa.float32())))
    assert features.is_null().to_pylist() == [vector is None for vector in vectors]
    messages = example_messages(features.drop_null()).to_pylist()
    read = [
        list(example_pb2.Example.FromString(message).features.feature["look"].float_list.value)
        for message in messages
    ]
    assert read == [vector for vector in vectors if vector is not None]

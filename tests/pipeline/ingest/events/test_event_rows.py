"""The values that impressions carry to the join come back as they were."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.events.event_rows import ImpressionParser, from_json, to_json
from pipeline.ingest.settings.ingest_config import IngestSettings
from tests.pipeline.ingest.events.parsed_events import parsed_events

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([2**63, 2**64, -(2**64), 10**40, 1.0, -0.0, 1e308, 5e-324, "\ud800", "null"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


def _exact(value: Any) -> Any:
    """A value that equals only values of the same type, bit by bit."""
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else value.hex()
    return type(value).__name__, value


@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=4))
def test_carried_values_keep_their_types_and_every_bit(rows: list[list[Any]]) -> None:
    assert _exact(from_json([to_json(tuple(row)) for row in rows])) == _exact(rows)


@pytest.mark.parametrize("value", [1, 1.0, True, None, "1", [1, 1.0], float("inf")])
def test_a_carried_value_is_not_taken_for_an_equal_one_of_another_type(value: Any) -> None:
    [[carried]] = from_json([to_json((value,))])
    assert _exact(carried) == _exact(value)


def _settings(tiny) -> IngestSettings:
    return tiny.settings(
        logs={
            "impressions": {"path": "shown*", "format": "jsonl"},
            "actions": {
                "path": "done*", "format": "jsonl", "kind": "kind", "event_time": {"column": "time_s", "unit": "s"},
                "window_s": 100, "join_by": "request", "folds": {"play_s": {"action": "play", "fold": "sum", "value": "s"}},
            },
        },
        fields={"item": {"side": "item", "kind": "categorical", "column": "item_id"}},
    )  # fmt: skip


def test_a_label_column_given_twice_is_no_text_that_a_label_could_read(tiny) -> None:
    rows = [json.dumps(tiny.row(number, duration_s=5)).encode() for number in range(3)]
    rows[1] = rows[1][:-1] + b', "duration_s": 6}'
    table, rejected = parsed_events(ImpressionParser(_settings(tiny)), rows)
    assert (table.num_rows, rejected) == (3, [])
    assert table.column("problem_reason").to_pylist() == [None, "malformed", None]


def test_a_value_nested_deeply_rejects_its_line_and_not_the_log(tiny) -> None:
    settings = _settings(tiny)
    rows = [json.dumps(tiny.row(number, duration_s=0)).encode() for number in range(3)]
    rows[1] = rows[1].replace(b'"duration_s": 0', b'"duration_s": ' + b"[" * 700 + b"]" * 700)
    table, rejected = parsed_events(ImpressionParser(settings), rows)
    assert (table.num_rows, rejected) == (3, [])
    carried = from_json(table.column("carried").to_pylist())
    assert [values[-1] for values in carried][::2] == [0, 0]
    assert str(carried[1][-1]) == "[" * 700 + "]" * 700

"""Labelled records become the tf.Examples that the rest of the pipeline expects."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

USERS = {"key": [b"u0", b"u1"], "field.region": [b"north", None], "field.age": [30.0, None]}


def _encoded(
    tiny, *records: dict[str, Any], counts: Counter[tuple[str, ...]] | None = None, **changes: Any
) -> list[bytes]:
    from pipeline.ingest.examples.example_encoding import ExampleEncoder

    types = {"key": pa.binary(), "field.region": pa.binary(), "field.age": pa.float64()}
    users = pa.table({name: pa.array(USERS[name], kind) for name, kind in types.items()})
    rows, _ = tiny.labelled(list(records), **changes)
    encoder = ExampleEncoder(tiny.settings(**changes), {"users": users})
    return [
        example
        for batch in encoder.encode(rows, Counter() if counts is None else counts)
        for example in batch.to_pylist()
    ]


def _features(tiny, record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The features of the encoded example as lists, by name."""
    import tensorflow as tf

    [encoded] = _encoded(tiny, record, **changes)
    features = tf.train.Example.FromString(encoded).features.feature
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in features.items()
    }


def test_an_example_has_fields_keys_event_time_labels_and_masks(tiny) -> None:
    # Row 3 of user 0: clicked, 3 of 12 seconds played.
    assert _features(tiny, tiny.row(3)) == {
        "region": [b"north"], "age": [30.0], "recent": [b"i1", b"i2"], "item": [b"i3"], "price": [0.75],
        "request_key": [b"r3"], "user_key": [b"u0"], "item_key": [b"i3"], "event_time_us": [3_000_000],
        "label_of_click": [1.0], "mask_of_click": [1.0], "label_of_watch": [0.25], "mask_of_watch": [1.0],
    }  # fmt: skip


def test_a_label_outside_the_sample_space_is_0_with_mask_0(tiny) -> None:
    features = _features(tiny, tiny.row(0))
    assert (features["label_of_watch"], features["mask_of_watch"]) == ([0.0], [0.0])


def test_a_missing_value_has_no_feature(tiny) -> None:
    features = _features(tiny, tiny.row(1, price=None, recent=[]))
    assert not {"price", "recent", "region", "age"} & features.keys()


def test_keys_that_the_spec_does_not_declare_have_no_feature(tiny) -> None:
    changes: dict[str, Any] = {"keys": {"item": "item_id"}, "split": {"evaluation_files": ["*"]}}
    features = _features(tiny, tiny.row(1), **changes)
    assert features["item_key"] == [b"i1"]
    assert not {"request_key", "user_key", "event_time_us"} & features.keys()


def test_a_record_without_a_row_in_a_side_table_is_counted(tiny) -> None:
    counts: Counter[tuple[str, ...]] = Counter()
    # users 0, 1, 2, 0, 1, 2; the table lacks user 2
    _encoded(tiny, *map(tiny.row, range(6)), counts=counts)
    assert counts == {("unjoined", "users"): 2}


def test_the_bytes_are_those_of_a_message_serialised_as_a_whole(tiny) -> None:
    import tensorflow as tf

    [encoded] = _encoded(tiny, tiny.row(3))
    assert len(tf.train.Example.FromString(encoded).SerializeToString()) == len(encoded)


def test_the_fast_parser_reads_the_example_as_the_slow_one_does(tiny) -> None:
    import tensorflow as tf

    # Longer than 16,383 bytes, so that the length takes three groups of seven bits.
    [encoded] = _encoded(tiny, tiny.row(3, recent=[f"video {number}" for number in range(3000)]))
    parsed = tf.io.parse_single_example(
        encoded,
        {"recent": tf.io.RaggedFeature(tf.string), "price": tf.io.FixedLenFeature([], tf.float32)},
    )
    assert len(encoded) > 16_383
    assert parsed["recent"].shape == (3000,)
    assert float(parsed["price"]) == 0.75


def test_a_negative_time_is_encoded_as_protocol_buffers_do(tiny) -> None:
    times = [-1, 0, 1, 127, 128, -86_400]
    rows = [tiny.row(number, time_s=time_s) for number, time_s in enumerate(times)]
    features = [_features(tiny, row) for row in rows]
    assert [one["event_time_us"] for one in features] == [[time_s * 1_000_000] for time_s in times]


@settings(max_examples=50)
@given(
    texts=st.lists(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=300), max_size=4),
        min_size=1,
        max_size=20,
    )
)
def test_batches_are_encoded_like_single_rows(tiny, texts: list[list[str]]) -> None:
    rows = [
        tiny.row(number, recent=recent, price=None if number % 3 else number)
        for number, recent in enumerate(texts)
    ]
    assert _encoded(tiny, *rows) == [encoded for row in rows for encoded in _encoded(tiny, row)]
    for row in rows:
        recent = [text.encode() for text in row["recent"] if text]
        assert _features(tiny, row).get("recent", []) == recent


def test_a_part_of_the_event_time_is_a_text_of_the_example(tiny) -> None:
    part = {"side": "context", "kind": "categorical", "from": "event_time", "part": "hour_of_week"}
    fields = {"at": part, "item": {"side": "item", "kind": "categorical", "column": "item_id"}}
    # Day 3 is Sunday, 1970-01-04; its second hour is the hour 6 · 24 + 1 of the week.
    features = _features(tiny, tiny.row(3700, day=3), fields=fields, logs__tables__users=None)
    assert features["at"] == [b"145"]


def test_the_weight_of_an_example_stands_beside_its_masks(tiny) -> None:
    features = _features(tiny, tiny.row(3, weight="2.5"), weight={"column": "weight"})
    assert (features["weight_of_example"], features["mask_of_click"]) == ([2.5], [1.0])
    assert "weight_of_example" not in _features(tiny, tiny.row(3, weight="2.5"))

"""Labelled records become the tf.Examples that the rest of the pipeline expects."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipeline.ingest.labelled_record import LabelledRecord, RecordLabeller

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

TABLES = {"users": {b"u0": ((b"north",), 30.0), b"u1": (None, None)}}


def _features(tiny, record: LabelledRecord, **changes: Any) -> dict[str, Any]:
    """The features of the encoded example as lists, by name."""
    import tensorflow as tf

    from pipeline.ingest.example_encoding import ExampleEncoder

    encoded = ExampleEncoder(tiny.settings(**changes), TABLES).encode(record, Counter())
    features = tf.train.Example.FromString(encoded).features.feature
    return {name: list(getattr(feature, feature.WhichOneof("kind")).value) for name, feature in features.items()}


def test_an_example_has_fields_keys_event_time_labels_and_masks(tiny) -> None:
    # Row 3 of user 0: clicked, 3 of 12 seconds played.
    record = RecordLabeller(tiny.settings())(tiny.row(3), 0, 1, b"")
    assert _features(tiny, record) == {
        "region": [b"north"], "age": [30.0], "recent": [b"i1", b"i2"], "item": [b"i3"], "price": [0.75],
        "request_key": [b"r3"], "user_key": [b"u0"], "item_key": [b"i3"], "event_time_us": [3_000_000],
        "label_of_click": [1.0], "mask_of_click": [1.0], "label_of_watch": [0.25], "mask_of_watch": [1.0],
    }  # fmt: skip


def test_a_label_outside_the_sample_space_is_0_with_mask_0(tiny) -> None:
    features = _features(tiny, RecordLabeller(tiny.settings())(tiny.row(0), 0, 1, b""))
    assert (features["label_of_watch"], features["mask_of_watch"]) == ([0.0], [0.0])


def test_a_missing_value_has_no_feature(tiny) -> None:
    features = _features(tiny, RecordLabeller(tiny.settings())(tiny.row(1, price=None, recent=[]), 0, 1, b""))
    assert not {"price", "recent", "region", "age"} & features.keys()


def test_keys_that_the_spec_does_not_declare_have_no_feature(tiny) -> None:
    changes: dict[str, Any] = {"keys": {"item": "item_id"}, "split": {"evaluation_files": ["*"]}}
    features = _features(tiny, RecordLabeller(tiny.settings(**changes))(tiny.row(1), 0, 1, b""), **changes)
    assert features["item_key"] == [b"i1"]
    assert not {"request_key", "user_key", "event_time_us"} & features.keys()


def test_a_record_without_a_row_in_a_side_table_is_counted(tiny) -> None:
    from pipeline.ingest.example_encoding import ExampleEncoder

    labeller, encoder, tally = RecordLabeller(tiny.settings()), ExampleEncoder(tiny.settings(), TABLES), Counter()
    for number in range(6):  # users 0, 1, 2, 0, 1, 2; the table lacks user 2
        encoder.encode(labeller(tiny.row(number), 0, 1, b""), tally)
    assert tally == {("unjoined", "users"): 2}


def test_the_bytes_are_those_of_a_message_serialised_as_a_whole(tiny) -> None:
    import tensorflow as tf

    from pipeline.ingest.example_encoding import ExampleEncoder

    record = RecordLabeller(tiny.settings())(tiny.row(3), 0, 1, b"")
    encoded = ExampleEncoder(tiny.settings(), TABLES).encode(record, Counter())
    assert len(tf.train.Example.FromString(encoded).SerializeToString()) == len(encoded)


def test_the_fast_parser_reads_the_example_as_the_slow_one_does(tiny) -> None:
    import tensorflow as tf

    from pipeline.ingest.example_encoding import ExampleEncoder

    # Longer than 16,383 bytes, so that the length takes three groups of seven bits.
    record = RecordLabeller(tiny.settings())(tiny.row(3, recent=[f"video {number}" for number in range(3000)]), 0, 1, b"")
    encoded = ExampleEncoder(tiny.settings(), TABLES).encode(record, Counter())
    parsed = tf.io.parse_single_example(
        encoded, {"recent": tf.io.RaggedFeature(tf.string), "price": tf.io.FixedLenFeature([], tf.float32)}
    )
    assert len(encoded) > 16_383
    assert parsed["recent"].shape == (3000,)
    assert float(parsed["price"]) == 0.75

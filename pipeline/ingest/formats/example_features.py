"""Features of tf.Examples, serialised by column.

The encoding of protocol buffers guarantees that concatenated messages of one type merge, so an
example is the concatenation of its features. The bytes before the content of a serialised feature
depend on the content's length alone. So protocol buffers serialise one feature of each length, and
Arrow joins the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow.core.example import feature_pb2

# Field 1 of tf.Example, `features`, as a length-delimited value.
_FEATURES_TAG = b"\x0a"
_NOTHING = pa.scalar(b"", pa.binary())
_NULL = pa.scalar(None, pa.binary())


def example_messages(features: pa.Array) -> pa.Array:
    """Serialise tf.Examples, given all the serialised features of each."""
    return headed(features, lambda position: _FEATURES_TAG + _prefixed(features[position].as_py()))


def present(features: pa.Array, column: pa.Array) -> pa.Array:
    """Return features, null where a column is."""
    return pc.if_else(column.is_valid(), features, _NULL) if column.null_count else features


def text_features(name: str, texts: pa.Array) -> pa.Array:
    """Serialise a feature of one text; null stays null."""
    return headed(texts, lambda position: _feature(name, bytes_list=[texts[position].as_py()]))


def list_features(name: str, lists: pa.Array) -> pa.Array:
    """Serialise a feature of several texts; null stays null."""
    offsets = np.concatenate(
        [[0], np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy())]
    ).astype(np.int32)
    values = list_elements(lists.flatten())
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), values), _NOTHING)
    return features_of_elements(name, present(joined, lists))


def list_elements(texts: pa.Array) -> pa.Array:
    """Serialise texts so that the concatenation of several is the content of a list of them."""
    return headed(
        texts,
        lambda position: feature_pb2.BytesList(value=[texts[position].as_py()]).SerializeToString(),
    )


def features_of_elements(name: str, joined: pa.Array) -> pa.Array:
    """Serialise a feature of several texts, given concatenated `list_elements`; null stays null."""

    def message_at(position: int) -> bytes:
        texts = feature_pb2.BytesList.FromString(joined[position].as_py())
        return _feature(name, bytes_list=texts.value)

    return headed(joined, message_at)


def number_features(columns: Mapping[str, np.ndarray]) -> pa.Array:
    """Serialise features of one float each, which take the same number of bytes in all rows."""
    parts: list[np.ndarray] = []
    for name, column in columns.items():
        values = column.astype("<f4").view(np.uint8).reshape(-1, 4)
        head = np.frombuffer(_feature(name, float_list=[0.0])[:-4], np.uint8)
        parts += [np.broadcast_to(head, (len(values), len(head))), values]
    contents = np.concatenate(parts, axis=1)
    rows, width = contents.shape
    return pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(contents)]).cast(
        pa.binary()
    )


def vector_features(name: str, vectors: pa.Array) -> pa.Array:
    """Serialise a feature of as many floats in each row; null stays null.

    Args:
        name: the feature's name.
        vectors: lists of float32 of one length, null where missing.
    """
    values = vectors.flatten().to_numpy()
    rows = len(vectors) - vectors.null_count
    if not rows:
        return pa.nulls(len(vectors), pa.binary())
    numbers = values.astype("<f4").reshape(rows, -1)
    contents = numbers.view(np.uint8)
    message = _feature(name, float_list=[0.0] * numbers.shape[1])
    head = np.frombuffer(message[: -contents.shape[1]], np.uint8)
    whole = np.concatenate([np.broadcast_to(head, (rows, len(head))), contents], axis=1)
    features = pa.Array.from_buffers(
        pa.binary(whole.shape[1]), rows, [None, pa.py_buffer(np.ascontiguousarray(whole))]
    ).cast(pa.binary())
    places = np.cumsum(vectors.is_valid().to_numpy(zero_copy_only=False)) - 1
    return features.take(pa.array(places, mask=vectors.is_null().to_numpy(zero_copy_only=False)))


def integer_features(name: str, integers: pa.Array) -> pa.Array:
    """Serialise a feature of one integer."""
    contents = _varints(integers.to_numpy())
    return headed(
        contents, lambda position: _feature(name, int64_list=[integers[position].as_py()])
    )


def _feature(name: str, **values: Any) -> bytes:
    """Serialise a tf.train.Features message with one feature."""
    ((kind, value),) = values.items()
    message = {
        "bytes_list": feature_pb2.BytesList,
        "float_list": feature_pb2.FloatList,
        "int64_list": feature_pb2.Int64List,
    }[kind]
    feature = feature_pb2.Feature(**{kind: message(value=value)})
    return feature_pb2.Features(feature={name: feature}).SerializeToString()


def headed(contents: pa.Array, message_at: Callable[[int], bytes]) -> pa.Array:
    """Serialise messages that end with the contents; null stays null.

    Args:
        contents: binaries.
        message_at: serialises the message at a position. Its bytes before the content depend on the
            content's length alone.
    """
    # Null counts as length -1. Lengths are shifted by one, so that they are indices of arrays.
    lengths = pc.binary_length(contents).fill_null(-1).to_numpy(zero_copy_only=False) + 1
    position_of = np.zeros(lengths.max(initial=0) + 1, np.int64)
    position_of[lengths] = np.arange(len(lengths))
    different = np.flatnonzero(np.bincount(lengths))
    heads = [
        message_at(position_of[length])[: 1 - length or None] if length else b""
        for length in different.tolist()
    ]
    kind_of = np.zeros(len(position_of), np.int32)
    kind_of[different] = np.arange(len(different))
    return pc.binary_join_element_wise(
        pa.array(heads, pa.binary()).take(pa.array(kind_of[lengths])), contents, _NOTHING
    )


def joined_features(parts: list[pa.Array], rows: int) -> pa.Array:
    """Concatenate parts row by row; null counts as empty."""
    if not parts:
        return pa.array([b""] * rows, pa.binary())
    return pc.binary_join_element_wise(
        *parts, _NOTHING, null_handling="replace", null_replacement=b""
    )


def _prefixed(content: bytes) -> bytes:
    """Prefix a content by its length as a varint.

    A varint has groups of 7 bits, the least significant first; the highest bit of a byte tells that
    another group follows.
    """
    number = len(content)
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups) + content


def _varints(numbers: np.ndarray) -> pa.Array:
    """Encode numbers as varints; negative ones take 64 bits."""
    groups = (
        numbers.astype(np.uint64)[:, None] >> (np.uint64(7) * np.arange(10, dtype=np.uint64))
    ) & np.uint64(0x7F)
    # Up to the last group that is not 0; at least one group.
    lengths = np.maximum(10 - np.argmax(groups[:, ::-1] != 0, axis=1), 1)
    lengths[numbers == 0] = 1
    positions = np.arange(10)
    follows = positions < (lengths - 1)[:, None]
    content = (groups | np.where(follows, 0x80, 0).astype(np.uint64)).astype(np.uint8)[
        positions < lengths[:, None]
    ]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.binary(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    )

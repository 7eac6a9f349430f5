"""Labelled rows as serialised tf.Examples, a batch at a time; 2–3 times as fast as `tfx_bsl`.

The encoding of protocol buffers guarantees that concatenated messages of one type merge, so an
example is the concatenation of its features. The bytes before the content of a serialised feature
depend on the content's length alone. So protocol buffers serialise one feature of each length, and
Arrow joins the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow.core.example import feature_pb2

from feature_spec import names
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.labelling.labelled_rows import FIELD, KEY_OF, LABEL
from pipeline.ingest.labelling.log_tables import KEY
from pipeline.ingest.settings.ingest_config import IngestSettings

_BATCH_ROWS = 1 << 13
# Field 1 of tf.Example, `features`, as a length-delimited value.
_FEATURES_TAG = b"\x0a"
_NOTHING = pa.scalar(b"", pa.binary())
_NULL = pa.scalar(None, pa.binary())


class ExampleEncoder:
    """Joins the side tables to rows and serialises them.

    Args:
        settings: the spec's rules.
        tables: the rows of each side table, as `read_side_table` returns them.
    """

    def __init__(self, settings: IngestSettings, tables: Mapping[str, pa.Table]) -> None:
        self._fields = list(settings.fields_of(None))
        self._tasks = list(settings.tasks)
        # A row of a side table is serialised once for all its examples.
        self._tables = {
            name: (
                _column(tables[name], KEY),
                _joined([*_fields(tables[name], settings.fields_of(name))], tables[name].num_rows),
            )
            for name in settings.logs.tables
        }

    def encode(
        self, rows: pa.Table, counts: Counts, negative_rates: Mapping[str, float] | None = None
    ) -> Iterator[pa.Array]:
        """Yield the rows in order as serialised tf.Examples, thousands at a time, as binaries.

        An example has the fields (a missing one has no feature), labels and masks, event time and
        keys, and the rates at which the negatives of tasks were kept. Examples without a row in a
        side table are added to `counts`.
        """
        for start in range(0, rows.num_rows, _BATCH_ROWS):
            yield self._encoded(
                rows.slice(start, _BATCH_ROWS).combine_chunks(), counts, negative_rates or {}
            )

    def _encoded(
        self, rows: pa.Table, counts: Counts, negative_rates: Mapping[str, float]
    ) -> pa.Array:
        parts = [*_fields(rows, self._fields)]
        for table, (keys, serialised) in self._tables.items():
            found = pc.index_in(_column(rows, KEY_OF + table), value_set=keys)
            counts[counters.UNJOINED, table] += found.null_count
            parts.append(serialised.take(found))
        numbers: dict[str, np.ndarray] = {}
        for task in self._tasks:
            labels = _column(rows, LABEL + task)
            numbers[names.label_name(task)] = labels.fill_null(0.0).to_numpy()
            numbers[names.mask_name(task)] = labels.is_valid().to_numpy(zero_copy_only=False)
        for task, rate in negative_rates.items():
            numbers[names.negative_rate_name(task)] = np.full(rows.num_rows, rate)
        if numbers:
            parts.append(_numbers(numbers))
        if names.EVENT_TIME in rows.column_names:
            parts.append(_integers(names.EVENT_TIME, _column(rows, names.EVENT_TIME)))
        keys = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)
        parts += [_texts(name, _column(rows, name)) for name in keys if name in rows.column_names]
        features = _joined(parts, rows.num_rows)
        return _headed(
            features, lambda position: _FEATURES_TAG + _prefixed(features[position].as_py())
        )


def _fields(rows: pa.Table, fields: Any) -> Iterator[pa.Array]:
    for name in fields:
        column = _column(rows, FIELD + name)
        if pa.types.is_list(column.type):
            yield _lists(name, column)
        elif pa.types.is_binary(column.type):
            yield _texts(name, column)
        else:
            numbers = _numbers({name: column.fill_null(0.0).to_numpy()})
            yield pc.if_else(column.is_valid(), numbers, _NULL) if column.null_count else numbers


def _texts(name: str, texts: pa.Array) -> pa.Array:
    return _headed(texts, lambda position: _feature(name, bytes_list=[texts[position].as_py()]))


def _lists(name: str, lists: pa.Array) -> pa.Array:
    elements = lists.flatten()
    values = _headed(
        elements,
        lambda position: feature_pb2.BytesList(
            value=[elements[position].as_py()]
        ).SerializeToString(),
    )
    offsets = np.concatenate(
        [[0], np.cumsum(pc.list_value_length(lists).fill_null(0).to_numpy())]
    ).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), values), _NOTHING)
    joined = pc.if_else(lists.is_valid(), joined, _NULL)
    return _headed(joined, lambda position: _feature(name, bytes_list=lists[position].as_py()))


def _numbers(columns: Mapping[str, np.ndarray]) -> pa.Array:
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


def _integers(name: str, integers: pa.Array) -> pa.Array:
    contents = _varints(integers.to_numpy())
    return _headed(
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


def _headed(contents: pa.Array, message_at: Callable[[int], bytes]) -> pa.Array:
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


def _joined(parts: list[pa.Array], rows: int) -> pa.Array:
    """Concatenate parts row by row; null counts as empty."""
    if not parts:
        return pa.array([b""] * rows, pa.binary())
    return pc.binary_join_element_wise(
        *parts, _NOTHING, null_handling="replace", null_replacement=b""
    )


def _column(rows: pa.Table, name: str) -> pa.Array:
    chunks = rows.column(name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()


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

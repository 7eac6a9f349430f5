"""Rows of a TFRecord file of tf.Examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import google_crc32c
import numpy as np

from pipeline.ingest.formats.decompression import UnreadableError
from pipeline.ingest.formats.parsing import Record
from pipeline.ingest.formats.tfrecords import masked

_BATCH_ROWS = 4096
_HEAD_BYTES, _TAIL_BYTES = 12, 4


def example_rows(chunks: Iterable[bytes]) -> Iterator[list[Record]]:
    """Yields rows, thousands at a time: a feature of one value as the value, of several as a list, of none as None.

    Args:
        chunks: the content of the file, decompressed.

    Raises:
        UnreadableError: the file is damaged, after everything before that was yielded.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    rows: list[Record] = []
    try:
        for record in _records(chunks):
            example = example_pb2.Example.FromString(record)
            rows.append(
                {name: _value(feature) for name, feature in example.features.feature.items()}
            )
            if len(rows) == _BATCH_ROWS:
                yield rows
                rows = []
    except (UnreadableError, DecodeError) as error:
        yield rows
        raise UnreadableError(f"not readable as TFRecord of tf.Examples: {error}") from error
    yield rows


def _value(feature: object) -> object:
    kind = feature.WhichOneof("kind")  # type: ignore[attr-defined]
    values = list(getattr(feature, kind).value) if kind is not None else []
    return values if len(values) > 1 else next(iter(values), None)


def _records(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The records, of which length and content are checked."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at >= _HEAD_BYTES:
            length = int.from_bytes(held[at : at + 8], "little")
            _check(bytes(held[at : at + 8]), held[at + 8 : at + _HEAD_BYTES], "length")
            end = at + _HEAD_BYTES + length
            if len(held) < end + _TAIL_BYTES:
                break
            record = bytes(held[at + _HEAD_BYTES : end])
            _check(record, held[end : end + _TAIL_BYTES], "content")
            yield record
            at = end + _TAIL_BYTES
        del held[:at]
    if held:
        raise UnreadableError("the last record is cut off")


def _check(content: bytes, checksum: bytearray, what: str) -> None:
    if np.frombuffer(checksum, "<u4")[0] != masked([google_crc32c.value(content)])[0]:
        raise UnreadableError(f"the checksum of a record's {what} does not fit")

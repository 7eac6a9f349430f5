"""TFRecord files: tf.Examples read as records, and gzipped files written a batch at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

from feature_spec.fields.values import narrow_float
from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import Record

# Examples repeat so much that another level, or zlib itself, hardly makes them smaller; zlib takes
# four times as long.
_COMPRESSION_LEVEL = 2
_GZIP_WINDOW_BITS = zlib.MAX_WBITS | 16
_NOTHING = pa.scalar(b"", pa.binary())
_BATCH_ROWS = 4096
_HEAD_BYTES, _TAIL_BYTES = 12, 4


def example_rows(chunks: Iterable[bytes]) -> Iterator[list[Record]]:
    """Yield the tf.Examples of a TFRecord file as rows, thousands at a time.

    A feature with one value becomes the value, with several values a list, with none None.

    Args:
        chunks: the decompressed content of the file.

    Raises:
        UnreadableError: the file is damaged. Everything before that was yielded.
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
    if kind == "float_list":
        values = [narrow_float(value, 4) for value in values]
    return values if len(values) > 1 else next(iter(values), None)


def _records(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the records; check length and content by their checksums."""
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


class TFRecordWriter:
    """A writer of records to an open file.

    A thread frames and compresses each batch, while the caller makes the next one.

    Args:
        file: the file to write to; stays open.
        thread: one thread, which several writers may share.
    """

    def __init__(self, file: BinaryIO, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self._compressor = isal_zlib.compressobj(
            _COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS
        )
        self._under_way: Future[Any] | None = None

    def write(self, records: pa.Array) -> None:
        """Add records, an array of binaries."""
        self._wait()
        self._under_way = self._thread.submit(self._write, records)

    def close(self) -> None:
        """Write the rest."""
        self._wait()
        self._file.write(self._compressor.flush())

    def _write(self, records: pa.Array) -> None:
        self._file.write(self._compressor.compress(framed(records)))

    def _wait(self) -> None:
        """Wait for the batch under way, so that at most one is in memory; raise its error."""
        if self._under_way is not None:
            self._under_way.result()


def framed(records: pa.Array) -> memoryview:
    """Frame records as in a TFRecord file: length, its checksum, content, its checksum."""
    lengths = pc.binary_length(records).to_numpy()
    different, kind = np.unique(lengths, return_inverse=True)
    heads = [int(length).to_bytes(8, "little") for length in different]
    heads = [head + masked([google_crc32c.value(head)]).tobytes() for head in heads]
    checksums = masked([google_crc32c.value(record) for record in records.to_pylist()])
    tails = pa.Array.from_buffers(pa.binary(4), len(records), [None, pa.py_buffer(checksums)]).cast(
        pa.binary()
    )
    joined = pc.binary_join_element_wise(
        pa.array(heads, pa.binary()).take(pa.array(kind)), records, tails, _NOTHING
    )
    _, offsets, content = joined.buffers()
    length = int(np.frombuffer(offsets, np.int32, len(records) + 1)[-1])
    return memoryview(content)[:length]


def masked(checksums: list[int]) -> np.ndarray:
    """Mask CRC32C checksums like the format, so that checksums of checksums stay useful."""
    values = np.array(checksums, "<u4")
    return ((values >> np.uint32(15)) | (values << np.uint32(17))) + np.uint32(0xA282EAD8)

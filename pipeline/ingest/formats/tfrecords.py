"""Gzipped TFRecord files, written a batch at a time."""

from __future__ import annotations

import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

# Examples repeat so much that another level, or zlib itself, hardly makes them smaller; zlib takes
# four times as long.
_COMPRESSION_LEVEL = 2
_GZIP_WINDOW_BITS = zlib.MAX_WBITS | 16
_NOTHING = pa.scalar(b"", pa.binary())


class TFRecordWriter:
    """Writes records to an open file. Batches are framed and compressed in a thread, so that the next can be made meanwhile.

    Args:
        file: where to write; stays open.
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
        """Adds records, an array of binaries."""
        self._wait()
        self._under_way = self._thread.submit(self._write, records)

    def close(self) -> None:
        """Writes what is left."""
        self._wait()
        self._file.write(self._compressor.flush())

    def _write(self, records: pa.Array) -> None:
        self._file.write(self._compressor.compress(framed(records)))

    def _wait(self) -> None:
        """At most one batch waits, which bounds the memory. Raises what writing raised."""
        if self._under_way is not None:
            self._under_way.result()


def framed(records: pa.Array) -> memoryview:
    """Records as a TFRecord file holds them: length, its checksum, content, its checksum."""
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
    """CRC32C checksums as the format stores them: rotated and shifted, so that a checksum of checksums is of use."""
    values = np.array(checksums, "<u4")
    return ((values >> np.uint32(15)) | (values << np.uint32(17))) + np.uint32(0xA282EAD8)

"""TensorFlow's record files (TFRecord), written without TensorFlow.

A record is its length (uint64), the masked checksum of these 8 bytes, its bytes, and their masked
checksum; numbers are little-endian, checksums CRC-32C.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_MASK_DELTA = 0xA282EAD8


class TFRecordWriter:
    """A new, uncompressed record file.

    Attributes:
        path: The file.
        size_bytes: The number of bytes written so far.
        records: The number of records written so far.

    Raises:
        OSError: The file exists already, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.records = 0
        self._file = path.open("xb")

    def write(self, record: bytes) -> None:
        """Append a record, and hand it to the operating system.

        Raises:
            OSError: The record cannot be written; the file may end with a part of it.
        """
        length = struct.pack("<Q", len(record))
        framed = b"".join((length, _masked_checksum(length), record, _masked_checksum(record)))
        self._file.write(framed)
        self._file.flush()
        self.size_bytes += len(framed)
        self.records += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _masked_checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C: rotated by 15 bits, plus a constant.

    A plain checksum of data that itself holds checksums would say little.
    """
    import google_crc32c  # here, so that a client without a request log needs no such package

    checksum = google_crc32c.value(data)
    rotated = (checksum >> 15) | (checksum << 17)
    return struct.pack("<I", (rotated + _MASK_DELTA) & 0xFFFFFFFF)

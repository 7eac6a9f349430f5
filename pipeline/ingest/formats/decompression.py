"""The content of plain, gzipped and bzipped files, as far as it can be read."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

_READ_BYTES = 1 << 18
# A damaged piece yields nothing, so small pieces lose little before the damage.
_PIECE_BYTES = 1 << 12


class UnreadableError(OSError):
    """A file whose content breaks off. What came before was yielded."""


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def content_chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yields the content of `file` in chunks; a `name` that ends in .gz or .bz2 is decompressed.

    Raises:
        UnreadableError: the file cannot be read to its end, after (nearly) everything before that
            point was yielded.
    """
    if name.endswith(".gz"):
        return _decompressed(file, lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), "gzip")
    if name.endswith(".bz2"):
        return _decompressed(file, bz2.BZ2Decompressor, "bzip2")
    return _stored(file)


def _stored(file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(_READ_BYTES):
            yield chunk
    except OSError as error:
        raise UnreadableError(f"reading fails: {error}") from error


def _decompressed(file: BinaryIO, new_stream: Callable[[], _Stream], kind: str) -> Iterator[bytes]:
    """A file may hold several streams, one behind the other, and zeros that pad its end."""
    stream = None
    for chunk in _stored(file):
        for at in range(0, len(chunk), _PIECE_BYTES):
            piece = chunk[at : at + _PIECE_BYTES]
            while piece:
                if stream is None or stream.eof:
                    piece = piece.lstrip(b"\0")
                    if not piece:
                        break
                    stream = new_stream()
                try:
                    content = stream.decompress(piece)
                except (zlib.error, OSError, ValueError) as error:
                    raise UnreadableError(f"the {kind} stream is damaged: {error}") from error
                yield content
                piece = stream.unused_data
    if stream is not None and not stream.eof:
        raise UnreadableError(f"the {kind} stream is cut off")

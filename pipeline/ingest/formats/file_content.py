"""The content of plain, gzipped and bzipped files: decompressed, and split into numbered lines.

Content is read as far as it can be. No line is held in memory beyond the limit.
"""

from __future__ import annotations

import bz2
import codecs
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from pipeline.ingest.accounting.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError

_READ_BYTES = 1 << 18
# A damaged piece yields nothing, so small pieces lose little before the damage.
_PIECE_BYTES = 1 << 12
# Few enough that the records of a batch stay in the processor's cache.
BATCH_LINES = 1 << 10
BATCH_BYTES = 1 << 24


class UnreadableError(OSError):
    """A file whose content breaks off. Everything before the break was yielded."""


class LineBatch(NamedTuple):
    """Consecutive lines of a file.

    Attributes:
        first: the number of the first line, from 1.
        lines: the lines without their ends; of an unusable line the first bytes.
        unusable: the problems of unusable lines, by their position in `lines`.
    """

    first: int
    lines: list[bytes]
    unusable: dict[int, UnusableLineError]

    @property
    def numbers(self) -> Sequence[int]:
        """The number of each line."""
        return range(self.first, self.first + len(self.lines))


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def content_chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the content of `file` in chunks; decompress it if `name` ends in .gz or .bz2.

    Raises:
        UnreadableError: the file cannot be read to its end. (Nearly) everything before that point
            was yielded.
    """
    if name.endswith(".gz"):
        return _decompressed(file, lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), "gzip")
    if name.endswith(".bz2"):
        return _decompressed(file, bz2.BZ2Decompressor, "bzip2")
    return _stored(file)


def line_batches(chunks: Iterable[bytes], max_line_bytes: int) -> Iterator[LineBatch]:
    """Split content at line feeds, some lines at a time.

    A carriage return before a line feed and a byte order mark at the start of the file are dropped.
    A line longer than `max_line_bytes` is unusable. So is the line at which the content breaks off,
    however much of it was read.
    """
    number = 1
    lines: list[bytes] = []
    held_bytes = 0
    carry = b""
    too_long = False
    try:
        for chunk in chunks:
            first, *others = chunk.split(b"\n")
            if not too_long:
                carry += first
            if others:
                lines.append(carry)
                lines += others[:-1]
                held_bytes += len(chunk)
                carry, too_long = others[-1], False
                if len(lines) >= BATCH_LINES or held_bytes >= BATCH_BYTES:
                    yield _batch(number, lines, max_line_bytes)
                    number += len(lines)
                    lines, held_bytes = [], 0
            if len(carry) > max_line_bytes:
                # Enough to show, line end included, that the limit was exceeded.
                carry, too_long = carry[: max_line_bytes + 2], True
    except UnreadableError as error:
        batch = _batch(number, [*lines, carry[:RAW_LIMIT_BYTES]], max_line_bytes)
        batch.unusable[len(lines)] = UnusableLineError(
            Reason.UNREADABLE, f"{error}; the rest of the file is lost"
        )
        yield batch
        return
    if carry:
        lines.append(carry)
    if lines:
        yield _batch(number, lines, max_line_bytes)


def _stored(file: BinaryIO) -> Iterator[bytes]:
    try:
        while chunk := file.read(_READ_BYTES):
            yield chunk
    except OSError as error:
        raise UnreadableError(f"reading fails: {error}") from error


def _decompressed(file: BinaryIO, new_stream: Callable[[], _Stream], kind: str) -> Iterator[bytes]:
    """Yield the content of compressed streams that follow one another; zeros may pad the end."""
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


def _batch(number: int, lines: list[bytes], max_line_bytes: int) -> LineBatch:
    if number == 1:
        lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
    lines = [line.removesuffix(b"\r") for line in lines]
    unusable = {}
    if max(map(len, lines)) > max_line_bytes:
        for position, line in enumerate(lines):
            if len(line) > max_line_bytes:
                lines[position] = line[:RAW_LIMIT_BYTES]
                unusable[position] = UnusableLineError(
                    Reason.LINE_TOO_LONG, f"longer than {max_line_bytes} bytes"
                )
    return LineBatch(number, lines, unusable)

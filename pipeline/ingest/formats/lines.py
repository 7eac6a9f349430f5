"""Numbered lines of a file, a batch at a time, of which none is held in memory beyond the limit."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.ingest.accounting.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError
from pipeline.ingest.formats.decompression import UnreadableError

# Few enough that the records of a batch stay in the processor's cache.
_BATCH_LINES = 1 << 10
_BATCH_BYTES = 1 << 24

# Number from 1, bytes without the line end, and what makes the line unusable, if anything does.
NumberedLine = tuple[int, bytes, UnusableLineError | None]


class LineBatch(NamedTuple):
    """Consecutive lines of a file.

    Attributes:
        first: number of the first line, from 1.
        lines: without their ends; what of an unusable line is worth reporting.
        unusable: what makes lines unusable, by their position in `lines`.
    """

    first: int
    lines: list[bytes]
    unusable: dict[int, UnusableLineError]


def line_batches(chunks: Iterable[bytes], max_line_bytes: int) -> Iterator[LineBatch]:
    """Splits content at line feeds. A carriage return before one and a byte order mark at the file's start are no content.

    A line longer than `max_line_bytes` is unusable, and so is the one at which the content breaks
    off, however much is there.
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
                if len(lines) >= _BATCH_LINES or held_bytes >= _BATCH_BYTES:
                    yield _batch(number, lines, max_line_bytes)
                    number += len(lines)
                    lines, held_bytes = [], 0
            if len(carry) > max_line_bytes:
                # Enough to tell, line end included, that the limit was exceeded; the rest is not
                # kept.
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


def numbered_lines(chunks: Iterable[bytes], max_line_bytes: int) -> Iterator[NumberedLine]:
    """The lines of `line_batches` one by one."""
    for first, lines, unusable in line_batches(chunks, max_line_bytes):
        for position, line in enumerate(lines):
            yield first + position, line, unusable.get(position)


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

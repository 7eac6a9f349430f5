"""Numbered lines of a file, of which none is held in memory beyond the limit."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from pipeline.ingest.decompression import UnreadableError
from pipeline.ingest.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError

# Number from 1, bytes without the line end, and what makes the line unusable, if anything does.
NumberedLine = tuple[int, bytes, UnusableLineError | None]


def numbered_lines(chunks: Iterable[bytes], max_line_bytes: int) -> Iterator[NumberedLine]:
    """Splits content at line feeds. A carriage return before one and a byte order mark at the file's start are no content.

    A line longer than `max_line_bytes` is unusable, and so is the one at which the content breaks off, however much is there.
    """
    number = 1
    carry = b""
    too_long = False
    try:
        for chunk in chunks:
            first, *others = chunk.split(b"\n")
            if not too_long:
                carry += first
            for other in others:
                yield _line(number, carry, max_line_bytes)
                number += 1
                carry, too_long = other, False
            if len(carry) > max_line_bytes:
                # One byte above the limit tells that it was exceeded; the rest is not kept.
                carry, too_long = carry[: max_line_bytes + 1], True
    except UnreadableError as error:
        yield number, carry[:RAW_LIMIT_BYTES], UnusableLineError(Reason.UNREADABLE, f"{error}; the rest of the file is lost")
        return
    if carry:
        yield _line(number, carry, max_line_bytes)


def _line(number: int, line: bytes, max_line_bytes: int) -> NumberedLine:
    if number == 1:
        line = line.removeprefix(codecs.BOM_UTF8)
    line = line.removesuffix(b"\r")
    if len(line) > max_line_bytes:
        return number, line[:RAW_LIMIT_BYTES], UnusableLineError(Reason.LINE_TOO_LONG, f"longer than {max_line_bytes} bytes")
    return number, line, None

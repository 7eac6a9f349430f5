"""Records of CSV files: lines, or several lines where a value in quotes holds line breaks.

What stands in open quotes is the text of a value, however much it looks like a record. So a quote
that is never closed takes the rest of the file with it, as one rejected record; of its text no more
than the limit is held in memory.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.ingest.accounting.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError
from pipeline.ingest.formats.file_content import BATCH_BYTES, BATCH_LINES, UnreadableError

_QUOTE, _LINE_FEED = b'"', b"\n"


class CsvBatch(NamedTuple):
    """Consecutive records of a CSV file.

    Attributes:
        numbers: the number of the first line of each record, from 1.
        records: the records without the ends of their last lines; of an unusable one the first
            bytes.
        unusable: the problems of unusable records, by their position in `records`.
    """

    numbers: list[int]
    records: list[bytes]
    unusable: dict[int, UnusableLineError]


def csv_batches(
    chunks: Iterable[bytes], delimiter: str, max_record_bytes: int
) -> Iterator[CsvBatch]:
    """Split content into records, some at a time, as RFC 4180 has them.

    A carriage return before the line feed that ends a record and a byte order mark at the start of
    the file are dropped. A record longer than `max_record_bytes` is unusable. So is the record at
    which the content breaks off, however much of it was read.
    """
    splitter = _Splitter(delimiter.encode(), max_record_bytes)
    try:
        for chunk in chunks:
            splitter.add(chunk)
            if splitter.is_full:
                yield splitter.taken()
    except UnreadableError as error:
        splitter.end(UnusableLineError(Reason.UNREADABLE, f"{error}; the rest of the file is lost"))
    else:
        splitter.end()
    if splitter.has_records:
        yield splitter.taken()


def ends_in_quotes(line: bytes, delimiter: bytes, in_quotes: bool) -> bool:
    """Return whether a value in quotes goes on after a line.

    Args:
        line: a line without its line feed.
        delimiter: separates the values.
        in_quotes: whether the line begins within a value in quotes.
    """
    at = 0
    while True:
        if in_quotes:
            at = line.find(_QUOTE, at)
            if at < 0:
                return True
            if line.startswith(_QUOTE, at + 1):  # two quotes stand for one
                at += 2
                continue
            at += 1
            rest = line[at:]
            if rest in (b"", b"\r"):
                return False
            if not rest.startswith(delimiter):
                # No CSV any more. Each further quote may open or close.
                return rest.count(_QUOTE) % 2 == 1
            at += len(delimiter)
        quote = line.find(_QUOTE, at)
        if quote < 0:
            return False
        before = line[at:quote].rstrip(b" ")
        if not before or before.endswith(delimiter):
            in_quotes, at = True, quote + 1
            continue
        # A quote within a value without quotes is a character like any other.
        in_quotes, at = False, line.find(delimiter, quote)
        if at < 0:
            return False
        at += len(delimiter)


class _Splitter:
    """Takes chunks, and gives records.

    Args:
        delimiter: separates the values.
        max_bytes: the longest record.
    """

    def __init__(self, delimiter: bytes, max_bytes: int) -> None:
        self._delimiter = delimiter
        self._max_bytes = max_bytes
        # Lines whose quotes each stand around a whole value, without a quote or line feed in it.
        # Other lines are looked at one by one.
        around = re.escape(delimiter)
        self._closed = (
            re.compile(rb'[^"]*+(?:(?<![^%b\n])"[^"\n]*+"(?![^%b\r\n])[^"]*+)*+' % (around, around))
            if len(delimiter) == 1
            else None
        )
        self._batch = CsvBatch([], [], {})
        self._batch_bytes = 0
        self._next_line = 1
        # The begin of a line whose end is in a later chunk, as far as it is held; and whether the
        # quotes in the rest are odd in number.
        self._carry = bytearray()
        self._odd_quotes = False
        # The begin of a record whose value in quotes goes on, and its line.
        self._open = bytearray()
        self._open_line: int | None = None

    @property
    def has_records(self) -> bool:
        return bool(self._batch.records)

    @property
    def is_full(self) -> bool:
        return len(self._batch.records) >= BATCH_LINES or self._batch_bytes >= BATCH_BYTES

    def taken(self) -> CsvBatch:
        """Return the records so far, once."""
        batch, self._batch, self._batch_bytes = self._batch, CsvBatch([], [], {}), 0
        return batch

    def add(self, chunk: bytes) -> None:
        first, *others = chunk.split(_LINE_FEED)
        self._batch_bytes += len(chunk)
        self._hold_line(first)
        if not others:
            return
        self._add_held_line()
        *lines, last = others
        if self._open_line is None and self._are_records(chunk, len(first), len(last)):
            self._add_records(lines)
        else:
            for line in lines:
                self._add_line(line, odd_quotes=False)
        self._hold_line(last)

    def _are_records(self, chunk: bytes, first: int, last: int) -> bool:
        """Return whether no quote is open at any line feed of a chunk, but for its end lines.

        Args:
            chunk: the chunk.
            first, last: the lengths of its first and last line.
        """
        if _QUOTE not in chunk:
            return True
        return self._closed is not None and bool(
            self._closed.fullmatch(chunk, first + 1, len(chunk) - last)
        )

    def end(self, problem: UnusableLineError | None = None) -> None:
        """Add what is left; with a problem, the content broke off there."""
        if self._carry or self._odd_quotes or problem is not None:
            self._add_held_line()
        if self._open_line is not None:
            lines = self._next_line - self._open_line
            if problem is None and lines > 1:
                problem = UnusableLineError(
                    Reason.UNREADABLE,
                    "a quote is opened here and not closed; the rest of the file, "
                    f"{lines:,} lines, is lost",
                )
            self._close()
        if problem is not None:
            last = len(self._batch.records) - 1
            self._batch.records[last] = self._batch.records[last][:RAW_LIMIT_BYTES]
            self._batch.unusable[last] = problem

    def _hold_line(self, part: bytes) -> None:
        # Enough to show, line end included, that the limit was exceeded.
        room = max(self._max_bytes + 2 - len(self._carry), 0)
        self._carry += part[:room]
        self._odd_quotes ^= part.count(_QUOTE, room) % 2 == 1

    def _add_held_line(self) -> None:
        line, odd_quotes = bytes(self._carry), self._odd_quotes
        self._carry, self._odd_quotes = bytearray(), False
        self._add_line(line, odd_quotes)

    def _add_line(self, line: bytes, odd_quotes: bool) -> None:
        if self._open_line is None:
            if self._next_line == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if _QUOTE not in line and not odd_quotes:
                self._add_records([line])
                return
        goes_on = ends_in_quotes(line, self._delimiter, self._open_line is not None) ^ odd_quotes
        if self._open_line is None:
            self._open_line = self._next_line
            self._open += line
        elif len(self._open) < self._max_bytes + 2:
            self._open += _LINE_FEED + line
        self._next_line += 1
        if not goes_on:
            self._close()

    def _close(self) -> None:
        assert self._open_line is not None  # noqa: S101 (a record is open)
        record, number, after = bytes(self._open), self._open_line, self._next_line
        self._open, self._open_line = bytearray(), None
        self._next_line = number
        self._add_records([record])
        self._next_line = after

    def _add_records(self, lines: list[bytes]) -> None:
        records = [line.removesuffix(b"\r") for line in lines]
        batch, start = self._batch, len(self._batch.records)
        batch.numbers.extend(range(self._next_line, self._next_line + len(records)))
        batch.records.extend(records)
        self._next_line += len(records)
        if max(map(len, records), default=0) > self._max_bytes:
            for position, record in enumerate(records, start):
                if len(record) > self._max_bytes:
                    batch.records[position] = record[:RAW_LIMIT_BYTES]
                    batch.unusable[position] = UnusableLineError(
                        Reason.LINE_TOO_LONG, f"longer than {self._max_bytes} bytes"
                    )

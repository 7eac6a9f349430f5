"""Numbered records of a file, a batch at a time, whatever its format."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple, TypeVar

from feature_spec.logs.logs import Source
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.avro import avro_rows
from pipeline.ingest.formats.decompression import UnreadableError, content_chunks
from pipeline.ingest.formats.example_records import example_rows
from pipeline.ingest.formats.lines import LineBatch, NumberedLine, line_batches
from pipeline.ingest.formats.parquet import parquet_rows
from pipeline.ingest.formats.parsing import (
    Record,
    header_columns,
    parse_csv,
    parse_json,
    parse_json_lines,
)
from pipeline.ingest.formats.typed_rows import plain_rows
from pipeline.ingest.sources.files import LogFile
from pipeline.ingest.sources.rows import RecordRows, Rows, TextRows

# Number of the line or row from 1, its first bytes, and the record or what makes it unusable.
NumberedRecord = tuple[int, bytes, Record | UnusableLineError]
_Parsed = TypeVar("_Parsed")
# So many that calls cost little, so few that a broken line has few others parsed again.
_LINES_TOGETHER = 128
_TYPED = {"parquet": parquet_rows, "avro": avro_rows}


class RecordBatch(NamedTuple):
    """Records of consecutive lines, and the lines among them that are none.

    Attributes:
        numbers: number of each record's line, or row, from 1.
        raws: each record's line, or what stands for it.
        rows: the records.
        unusable: number, first bytes and problem of each other line.
    """

    numbers: list[int]
    raws: list[bytes]
    rows: Rows
    unusable: list[tuple[int, bytes, UnusableLineError]]


def read_batches(file: LogFile, source: Source, max_line_bytes: int) -> Iterator[RecordBatch]:
    """Yields every line of a file once, as a record or with its problem; a CSV header is counted as a line, but not yielded."""
    try:
        opened = file.open()
    except OSError as error:
        yield _unreadable(1, f"cannot be opened: {error}")
        return
    with opened:
        if source.format in ("jsonl", "csv"):
            yield from text_batches(
                line_batches(content_chunks(opened, file.name), max_line_bytes), source
            )
        elif source.format == "tfrecord":
            yield from typed_batches(example_rows(content_chunks(opened, file.name)))
        else:
            yield from typed_batches(_TYPED[str(source.format)](opened))


def read_records(file: LogFile, source: Source, max_line_bytes: int) -> Iterator[NumberedRecord]:
    """The lines of `read_batches` one by one, in order."""
    for batch in read_batches(file, source, max_line_bytes):
        lines: list[NumberedRecord] = [
            *zip(batch.numbers, batch.raws, batch.rows.records(), strict=True),
            *batch.unusable,
        ]
        yield from sorted(lines, key=itemgetter(0))


def read_header(lines: Iterator[NumberedLine], delimiter: str) -> list[str]:
    """Takes the header from the lines of a CSV file. A file without any line has no columns.

    Raises:
        UnusableLineError: the first line is no header.
    """
    for _, line, problem in lines:
        if problem is not None:
            raise problem
        return header_columns(line, delimiter)
    return []


def text_batches(batches: Iterator[LineBatch], source: Source) -> Iterator[RecordBatch]:
    """The records of lines of JSON or CSV."""
    columns = source.columns
    for first, lines, unusable in batches:
        if source.format == "jsonl":
            numbers, raws, records, problems = _parsed(
                LineBatch(first, lines, unusable), parse_json, parse_json_lines
            )
            yield RecordBatch(numbers, raws, RecordRows(records), problems)
            continue
        skipped = 0
        if columns is None:
            try:
                columns = read_header(iter([(first, lines[0], unusable.get(0))]), source.delimiter)
            except UnusableLineError as error:
                # Without names for its values nothing of the file can be read.
                yield _unreadable(
                    first, f"the header cannot be used, and so the file cannot: {error.detail}"
                )
                return
            skipped = 1
        rest = LineBatch(
            first + skipped,
            lines[skipped:],
            {at - skipped: problem for at, problem in unusable.items()},
        )
        parse = functools.partial(parse_csv, delimiter=source.delimiter, count=len(columns))
        numbers, raws, values, problems = _parsed(rest, parse)
        yield RecordBatch(numbers, raws, TextRows(columns, values), problems)


def _parsed(
    batch: LineBatch,
    parse: Callable[[bytes], _Parsed],
    parse_together: Callable[[list[bytes]], list[_Parsed] | None] = lambda _: None,
) -> tuple[list[int], list[bytes], list[_Parsed], list[tuple[int, bytes, UnusableLineError]]]:
    """Numbers, lines and content of the usable lines; number, line and problem of the others."""
    first, lines, unusable = batch
    parsed: list[_Parsed] = []
    problems = dict(unusable)
    for start in range(0, len(lines), _LINES_TOGETHER):
        some = lines[start : start + _LINES_TOGETHER]
        together = None if unusable else parse_together(some)
        if together is not None:
            parsed += together
            continue
        for position, line in enumerate(some, start):
            if position in unusable:
                continue
            try:
                parsed.append(parse(line))
            except UnusableLineError as error:
                problems[position] = error
    usable = [position for position in range(len(lines)) if position not in problems]
    return (
        [first + position for position in usable],
        [lines[position] for position in usable] if problems else lines,
        parsed,
        [(first + position, lines[position], problems[position]) for position in sorted(problems)],
    )


def typed_batches(batches: Iterable[list[Record]]) -> Iterator[RecordBatch]:
    """The records of rows that have types."""
    number = 1
    try:
        for rows in batches:
            plain = list(enumerate(plain_rows(rows), start=number))
            whole = [
                (number, raw, row)
                for number, (raw, row) in plain
                if not isinstance(row, UnusableLineError)
            ]
            others = [
                (number, raw, row)
                for number, (raw, row) in plain
                if isinstance(row, UnusableLineError)
            ]
            yield RecordBatch(
                [number for number, _, _ in whole],
                [raw for _, raw, _ in whole],
                RecordRows([row for _, _, row in whole]),
                others,
            )
            number += len(plain)
    except UnreadableError as error:
        yield _unreadable(number, f"{error}; the rest of the file is lost")


def _unreadable(number: int, detail: str) -> RecordBatch:
    return RecordBatch(
        [], [], RecordRows([]), [(number, b"", UnusableLineError(Reason.UNREADABLE, detail))]
    )

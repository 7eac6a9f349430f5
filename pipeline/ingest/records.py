"""Numbered records of a file, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from feature_spec.logs import Source
from pipeline.ingest.decompression import content_chunks
from pipeline.ingest.files import LogFile
from pipeline.ingest.lines import NumberedLine, numbered_lines
from pipeline.ingest.parquet import parquet_records
from pipeline.ingest.parsing import CsvParser, Record, header_columns, parse_json
from pipeline.ingest.rejection import Reason, UnusableLineError

# Number of the line or row from 1, its first bytes, and the record or what makes it unusable.
NumberedRecord = tuple[int, bytes, Record | UnusableLineError]


def read_records(file: LogFile, source: Source, max_line_bytes: int) -> Iterator[NumberedRecord]:
    """Yields every record of a file, and every line that is none. A CSV header is counted as a line, but not yielded."""
    try:
        opened = file.open()
    except OSError as error:
        yield 1, b"", UnusableLineError(Reason.UNREADABLE, f"cannot be opened: {error}")
        return
    with opened:
        yield from _records(opened, file.name, source, max_line_bytes)


def _records(opened: BinaryIO, name: str, source: Source, max_line_bytes: int) -> Iterator[NumberedRecord]:
    if source.format == "parquet":
        yield from parquet_records(opened)
        return
    lines = numbered_lines(content_chunks(opened, name), max_line_bytes)
    if source.format == "jsonl":
        yield from _parsed(lines, parse_json)
        return
    columns = source.columns
    if columns is None:
        try:
            columns = read_header(lines, source.delimiter)
        except UnusableLineError as unusable:
            # Without names for its values nothing of the file can be read.
            detail = f"the header cannot be used, and so the file cannot: {unusable.detail}"
            yield 1, b"", UnusableLineError(Reason.UNREADABLE, detail)
            return
    yield from _parsed(lines, CsvParser(columns, source.delimiter, max_line_bytes))


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


def _parsed(lines: Iterator[NumberedLine], parse: Callable[[bytes], Record]) -> Iterator[NumberedRecord]:
    for number, line, problem in lines:
        if problem is not None:
            yield number, line, problem
            continue
        try:
            yield number, line, parse(line)
        except UnusableLineError as unusable:
            yield number, line, unusable

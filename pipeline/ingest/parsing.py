"""One line of text to one record: a dict from column to value."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.ingest.rejection import Reason, UnusableLineError

Record = dict[str, Any]


def decoded(line: bytes) -> str:
    """The text of a line.

    Raises:
        UnusableLineError: the line is empty or is not UTF-8.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableLineError(Reason.WRONG_ENCODING, f"not UTF-8: byte 0x{line[error.start]:02x} at {error.start}") from error
    if not text or text.isspace():
        raise UnusableLineError(Reason.EMPTY_LINE, "nothing but white space")
    return text


def parse_json(line: bytes) -> Record:
    """Reads a JSON object; NaN and Infinity are let through, since a column nobody reads may hold them.

    Raises:
        UnusableLineError: the line is empty, not UTF-8 or not a JSON object.
    """
    text = decoded(line)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableLineError(Reason.MALFORMED, f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnusableLineError(Reason.MALFORMED, f"a JSON object is needed; received a {type(record).__name__}")
    return record


class CsvParser:
    """Reads CSV lines. A line is a record: values in quotes may hold the delimiter, but no line break.

    Attributes:
        columns: the names of the values of each line.
        delimiter: separates them. White space around a value is dropped.
    """

    def __init__(self, columns: Sequence[str], delimiter: str, max_line_bytes: int) -> None:
        self.columns = columns
        self.delimiter = delimiter
        csv.field_size_limit(max(csv.field_size_limit(), max_line_bytes))

    def __call__(self, line: bytes) -> Record:
        """Reads one line.

        Raises:
            UnusableLineError: the line is empty, not UTF-8, or has another number of values than there are columns.
        """
        values = csv_values(decoded(line), self.delimiter)
        if len(values) != len(self.columns):
            raise UnusableLineError(Reason.MALFORMED, f"{len(self.columns)} values are needed; received {len(values)}")
        return dict(zip(self.columns, values, strict=True))


def header_columns(line: bytes, delimiter: str) -> list[str]:
    """The column names in the header line of a CSV file.

    Raises:
        UnusableLineError: the line is no header: empty, not UTF-8, or a name occurs twice.
    """
    columns = csv_values(decoded(line), delimiter)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UnusableLineError(Reason.MALFORMED, f"column {twice[0]!r} occurs more than once")
    return columns


def csv_values(text: str, delimiter: str) -> list[str]:
    """The values of a CSV line.

    Raises:
        UnusableLineError: a quote is not closed.
    """
    if '"' not in text:
        return [value.strip() for value in text.split(delimiter)]
    try:
        (values,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise UnusableLineError(Reason.MALFORMED, f"not CSV: {error}") from error
    return [value.strip() for value in values]

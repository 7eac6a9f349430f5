"""One line of text to one record: a dict from column to value, or a list of CSV values."""

from __future__ import annotations

import csv
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError

Record = dict[str, Any]


def decoded(line: bytes) -> str:
    """The text of a line.

    Raises:
        UnusableLineError: the line is empty or is not UTF-8.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableLineError(
            Reason.WRONG_ENCODING, f"not UTF-8: byte 0x{line[error.start]:02x} at {error.start}"
        ) from error
    if not text or text.isspace():
        raise UnusableLineError(Reason.EMPTY_LINE, "nothing but white space")
    return text


# orjson rounds integers beyond 64 bits: as many digits in a row may be one. A pattern would search
# a line more slowly.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_INTEGER = b"0" * 19


def parse_json(line: bytes) -> Record:
    """Reads a JSON object; NaN and Infinity are let through, since a column nobody reads may hold them.

    Raises:
        UnusableLineError: the line is empty, not UTF-8 or not a JSON object.
    """
    if _LONG_INTEGER not in line.translate(_DIGITS):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            pass  # the slower parser takes more, or knows what is wrong
        else:
            if type(record) is dict:
                return record
    return _parse_any_json(line)


# Stands between lines that are parsed together. Nobody can write it into a log, so each line is one
# value, whole and by itself.
_BETWEEN = secrets.randbits(50)


def parse_json_lines(lines: Sequence[bytes]) -> list[Record] | None:
    """The records of lines as `parse_json` reads them one by one; None if one of them needs a look for itself."""
    content = b"[%b]" % (b",%d," % _BETWEEN).join(lines)
    if _LONG_INTEGER in content.translate(_DIGITS):
        return None
    try:
        values = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    records = values[::2]
    if (
        len(records) != len(lines)
        or set(map(type, records)) != {dict}
        or any(value != _BETWEEN for value in values[1::2])
    ):
        return None
    return records


def _parse_any_json(line: bytes) -> Record:
    text = decoded(line)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableLineError(Reason.MALFORMED, f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnusableLineError(
            Reason.MALFORMED, f"a JSON object is needed; received a {type(record).__name__}"
        )
    return record


def parse_csv(line: bytes, delimiter: str, count: int) -> list[str]:
    """Reads the values of a CSV line. A line is a record: values in quotes may hold the delimiter, but no line break.

    Args:
        line: without its end.
        delimiter: separates the values. White space around a value is dropped.
        count: how many values are needed.

    Raises:
        UnusableLineError: the line is empty, not UTF-8, or has another number of values.
    """
    values = csv_values(decoded(line), delimiter)
    if len(values) != count:
        raise UnusableLineError(
            Reason.MALFORMED, f"{count} values are needed; received {len(values)}"
        )
    return values


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
    # A value may be as long as a line, whose length is limited elsewhere.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        (values,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise UnusableLineError(Reason.MALFORMED, f"not CSV: {error}") from error
    return [value.strip() for value in values]

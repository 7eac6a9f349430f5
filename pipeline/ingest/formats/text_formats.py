"""JSON lines and CSV: lines become records, many at a time.

CSV is parsed record by record, since libraries that read whole files cannot hand back a bad one.
"""

from __future__ import annotations

import csv
import functools
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson

from feature_spec.logs.source import UTF_8, Source
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.csv_records import CsvBatch
from pipeline.ingest.formats.encodings import decoded
from pipeline.ingest.formats.file_content import LineBatch
from pipeline.ingest.formats.record_batch import (
    Record,
    RecordBatch,
    RecordRows,
    TextRows,
    twin_value,
    unreadable_batch,
)

_Parsed = TypeVar("_Parsed")
# Many enough that calls cost little, few enough that a broken line costs few others a second parse.
_LINES_TOGETHER = 128
# orjson rounds integers beyond 64 bits, which have at least this many digits. Searching for them
# by a regular expression would be slower.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_INTEGER = b"0" * 19
# A quote and a colon end each key. If a line has more of them than its record has keys, a key may
# be given twice, of which orjson keeps the last; or a text holds them.
_WHITE_SPACE = b" \t\r\n"
_AFTER_KEY = b'":'
# Stands between lines that are parsed together. It is drawn at random, so no log can contain it,
# and each line has to be one whole value.
_BETWEEN = secrets.randbits(50)


def json_batches(batches: Iterable[LineBatch], encoding: str = UTF_8) -> Iterator[RecordBatch]:
    """Yield the records of lines of JSON, which are UTF-8 by now and were in `encoding`."""
    parse = functools.partial(parse_json, encoding=encoding)
    for batch in batches:
        numbers, raws, records, problems = _parsed(
            batch.numbers, batch.lines, batch.unusable, parse, parse_json_lines
        )
        yield RecordBatch(numbers, raws, RecordRows(records), problems)


def csv_row_batches(batches: Iterable[CsvBatch], source: Source) -> Iterator[RecordBatch]:
    """Yield the records of CSV. A header is counted as a line, not yielded."""
    columns = source.columns
    for numbers, lines, unusable in batches:
        skipped = 0
        if columns is None:
            try:
                columns = _header(lines, unusable, source)
            except UnusableLineError as error:
                # Without names for its values nothing in the file can be read.
                yield unreadable_batch(
                    numbers[0],
                    f"the header cannot be used, and so the file cannot: {error.detail}",
                )
                return
            skipped = 1
        parse = functools.partial(
            parse_csv,
            delimiter=source.delimiter,
            count=len(columns),
            encoding=source.encoding,
        )
        usable, raws, values, problems = _parsed(
            numbers[skipped:],
            lines[skipped:],
            {at - skipped: problem for at, problem in unusable.items()},
            parse,
        )
        line_breaks = any(b"\n" in raw for raw in raws)
        rows = TextRows(columns, values, line_breaks=line_breaks)
        yield RecordBatch(usable, raws, rows, problems)


def csv_columns(batches: Iterable[CsvBatch], source: Source) -> list[str]:
    """Return the column names of a CSV file with a header. A file without lines has no columns.

    Raises:
        UnusableLineError: the first line is not a header.
    """
    for _, lines, unusable in batches:
        return _header(lines, unusable, source)
    return []


def _header(
    lines: list[bytes], unusable: dict[int, UnusableLineError], source: Source
) -> list[str]:
    if 0 in unusable:
        raise unusable[0]
    return header_columns(lines[0], source.delimiter, source.encoding)


def _parsed(
    numbers: Sequence[int],
    lines: list[bytes],
    unusable: dict[int, UnusableLineError],
    parse: Callable[[bytes], _Parsed],
    parse_together: Callable[[list[bytes]], list[_Parsed] | None] = lambda _: None,
) -> tuple[list[int], list[bytes], list[_Parsed], list[tuple[int, bytes, UnusableLineError]]]:
    """Return numbers, lines and content of usable lines; number, line and problem of the others."""
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
        [numbers[position] for position in usable] if problems else list(numbers),
        [lines[position] for position in usable] if problems else lines,
        parsed,
        [(numbers[at], lines[at], problems[at]) for at in sorted(problems)],
    )


def parse_json_lines(lines: Sequence[bytes]) -> list[Record] | None:
    """Read several JSON lines at once, to the same effect as `parse_json` line by line.

    Returns:
        the records; None if a line has to be read by itself.
    """
    content = b"[%b]" % (b",%d," % _BETWEEN).join(lines)
    compact = content.translate(_DIGITS, _WHITE_SPACE)
    if _LONG_INTEGER in compact:
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
    keys = compact.count(_AFTER_KEY)
    return records if keys in (sum(map(len, records)), _key_count(records)) else None


def parse_json(line: bytes, encoding: str = UTF_8) -> Record:
    """Read a JSON object. NaN and Infinity pass, since a column that nobody reads may hold them.

    Raises:
        UnusableLineError: the line is empty, not a JSON object or was not in `encoding`.
    """
    compact = line.translate(_DIGITS, _WHITE_SPACE)
    if _LONG_INTEGER not in compact:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            pass  # the slower parser accepts more, or knows the problem
        else:
            if type(record) is dict and compact.count(_AFTER_KEY) == _key_count(record):
                return record
    text = decoded(line, encoding)
    try:
        record = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise UnusableLineError(Reason.MALFORMED, f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnusableLineError(
            Reason.MALFORMED, f"a JSON object is needed; received a {type(record).__name__}"
        )
    return record


def _object(pairs: list[tuple[str, Any]]) -> Record:
    """Return a JSON object, in which no value of a key given twice is taken for the right one."""
    record: Record = dict(pairs)
    if len(record) < len(pairs):
        seen: Record = {}
        for key, value in pairs:
            record[key] = twin_value(seen[key], value) if key in seen else value
            seen[key] = record[key]
    return record


def _key_count(value: Any) -> int:
    """Return the number of keys in a JSON value, on all levels."""
    count, nested = 0, [value]
    while nested:
        one = nested.pop()
        if isinstance(one, dict):
            count += len(one)
            one = one.values()
        nested += [inner for inner in one if isinstance(inner, dict | list)]
    return count


def has_long_integer(content: bytes) -> bool:
    """Return whether JSON may hold an integer beyond 64 bits, which orjson would round."""
    return _LONG_INTEGER in content.translate(_DIGITS)


def parse_csv(line: bytes, delimiter: str, count: int, encoding: str = UTF_8) -> list[str]:
    """Read the values of a CSV record. Quoted values may hold the delimiter and line breaks.

    Args:
        line: the record without the end of its last line.
        delimiter: separates the values. White space around a value is dropped.
        count: the number of values needed.
        encoding: the encoding of the source; the line is UTF-8 by now.

    Raises:
        UnusableLineError: the line is empty, was not in its encoding, or has another number of
            values.
    """
    values = csv_values(decoded(line, encoding), delimiter)
    if len(values) != count:
        raise UnusableLineError(
            Reason.MALFORMED, f"{count} values are needed; received {len(values)}"
        )
    return values


def header_columns(line: bytes, delimiter: str, encoding: str = UTF_8) -> list[str]:
    """Return the column names in the header line of a CSV file.

    Raises:
        UnusableLineError: the line is empty, was not in its encoding, or names a column twice.
            Several columns may be without a name.
    """
    columns = csv_values(decoded(line, encoding), delimiter)
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise UnusableLineError(Reason.MALFORMED, f"column {twice[0]!r} occurs more than once")
    return columns


def csv_values(text: str, delimiter: str) -> list[str]:
    """Split a CSV line into its values.

    Raises:
        UnusableLineError: a quote is not closed.
    """
    if '"' not in text:
        if "\n" in text:
            raise UnusableLineError(
                Reason.MALFORMED, "one record is needed; received several lines"
            )
        return [value.strip() for value in text.split(delimiter)]
    # A value may be as long as a line, whose length is limited elsewhere.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        (values,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise UnusableLineError(Reason.MALFORMED, f"not CSV: {error}") from error
    return [value.strip() for value in values]

"""The format of a file, told from its content: compression by name, the rest by what is in it."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from feature_spec.fields.values import is_number
from feature_spec.logs.source import UTF_8, LogFormat, Source
from pipeline.ingest.accounting.rejection import UnusableLineError
from pipeline.ingest.formats.file_content import UnreadableError, content_chunks
from pipeline.ingest.formats.text_formats import csv_values
from pipeline.ingest.sources.files import LogFile

_HEAD_BYTES = 1 << 20
_LINES = 300
_DELIMITERS = (",", "\t", "|", ";", "\x01")
# They also stand within values, so they are taken only if no other separates anything.
_LAST_DELIMITERS = (":", " ")
_SAME_COUNT = 0.95


def guessed_source(
    file: LogFile, pattern: Sequence[str], columns: Sequence[str] | None = None
) -> Source:
    """Return the source that a file is, as a spec describes it.

    Args:
        file: the file.
        pattern: the patterns of the source.
        columns: the names of the columns of a CSV file; None to take its header, or `c1`, `c2` …
            where it has none.

    Raises:
        ValueError: the file is empty, or of no format that ingestion reads.
    """
    path = list(pattern)
    kind = _binary_format(file)
    if kind is not None:
        return Source(path=path, format=kind)
    head = _head(file)
    if not head.strip():
        raise ValueError(f"{file.name} is empty: give a file with lines")
    encoding = _encoding(head, file.name)
    given: dict[str, Any] = {} if encoding == UTF_8 else {"encoding": encoding}
    lines = _lines(head.decode(encoding, errors="replace"), len(head) < _HEAD_BYTES)
    if _is_json(lines, file.name):
        return Source(path=path, format="jsonl", **given)
    delimiter = _delimiter(lines)
    rows = _rows(lines, delimiter)
    count = Counter(map(len, rows)).most_common(1)[0][0] if rows else 1
    rows = [row for row in rows if len(row) == count]
    first = rows[0] if rows else [""]
    if columns is not None and len(columns) != count:
        raise ValueError(
            f"{file.name} has {count} columns separated by {delimiter!r}; received "
            f"{len(columns)} names"
        )
    if has_header(rows) if columns is None else first == list(columns):
        twice = [name for name, times in Counter(first).items() if name and times > 1]
        if twice:
            raise ValueError(f"the header of {file.name} names the column {twice[0]!r} twice")
    else:
        given["columns"] = list(columns or (f"c{number}" for number in range(1, count + 1)))
    if delimiter != ",":
        given["delimiter"] = delimiter
    return Source(path=path, format="csv", **given)


def _binary_format(file: LogFile) -> LogFormat | None:
    with file.open() as opened:
        magic = opened.read(4)
    if magic == b"PAR1":
        return "parquet"
    if magic == b"Obj\x01":
        return "avro"
    return "tfrecord" if "tfrecord" in file.name.rpartition("/")[2].lower() else None


def _head(file: LogFile) -> bytes:
    content = b""
    with file.open() as opened:
        try:
            for chunk in content_chunks(opened, file.name):
                content += chunk
                if len(content) >= _HEAD_BYTES:
                    break
        except UnreadableError as error:
            if not content:
                raise ValueError(f"{file.name} cannot be read: {error}") from error
    return content[:_HEAD_BYTES]


def _encoding(head: bytes, name: str) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise ValueError(
            f"{name} is no text, and neither Parquet nor Avro; TFRecords are told by 'tfrecord' in "
            "the name of the file"
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        # The only difference: cp1252 has letters and quotes where Latin-1 has control characters.
        has_controls = any(0x80 <= byte < 0xA0 for byte in head)
        return "cp1252" if has_controls and _decodes(head, "cp1252") else "latin-1"
    return UTF_8


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _lines(text: str, is_whole: bool) -> list[str]:
    lines = text.removeprefix("\ufeff").split("\n")
    if len(lines) > 1 and not is_whole:
        lines.pop()  # its end is not read
    return [line.removesuffix("\r") for line in lines[: _LINES * 2] if line.strip()][:_LINES]


def _is_json(lines: Sequence[str], name: str) -> bool:
    start = lines[0].lstrip()
    if start.startswith("["):
        try:
            is_array = not start.rstrip().endswith("]") or isinstance(json.loads(start), list)
        except ValueError:
            is_array = False
        if is_array:
            raise ValueError(f"{name} is a JSON array: write an object a line instead")
    if not start.startswith("{"):
        return False
    good = 0
    for line in lines:
        try:
            good += isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            continue
    return good > len(lines) / 2


def _delimiter(lines: Sequence[str]) -> str:
    for candidates in (_DELIMITERS, _LAST_DELIMITERS):
        best, most = "", 1
        for delimiter in candidates:
            counts = Counter(map(len, _rows(lines, delimiter)))
            if not counts:
                continue
            (count, times) = counts.most_common(1)[0]
            if count > most and times >= _SAME_COUNT * len(lines):
                best, most = delimiter, count
        if best:
            return best
    return ","


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    rows = []
    for line in lines:
        try:
            rows.append(csv_values(line, delimiter))
        except UnusableLineError:  # a quote that goes on in the next line
            continue
    return rows


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row of a CSV file names its columns.

    A header has no number where the rows below have numbers. Where all columns are texts, a header
    has different texts that occur nowhere below, and looks like names.
    """
    if not rows or not all(rows[0]):
        # A column without a name, such as an index, is the first.
        return bool(rows) and len(rows[0]) > 1 and not rows[0][0] and has_header([
            row[1:] for row in rows
        ])  # fmt: skip
    first, body = rows[0], rows[1:]
    if not body:
        return not any(map(is_number, first))
    columns = list(zip(*body, strict=True))
    is_numeric = [
        any(values) and all(is_number(value) for value in values if value) for values in columns
    ]
    texts_over_numbers = [
        numeric and not is_number(name) for name, numeric in zip(first, is_numeric, strict=True)
    ]
    if any(texts_over_numbers):
        return True
    if any(is_numeric):
        return False
    return len(set(first)) == len(first) and all(
        name not in values and len(name) <= 60 and not name[0].isdigit()
        for name, values in zip(first, columns, strict=True)
    )

"""Rows of a log, read by column: JSON objects and the like, or the values of CSV lines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import orjson

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.parsing import Record

DIGEST_BYTES = 16
# What makes rows unusable, by their position. The first reason found stays.
Problems = dict[int, UnusableLineError]


class Columns(Protocol):
    """N rows of which columns can be had."""

    def column(self, name: str) -> list[Any]:
        """The N values of a column; None where a row lacks it."""


class Rows(Columns, Protocol):
    """N rows of one file."""

    def __len__(self) -> int: ...

    def digests(self, problems: Problems) -> list[bytes]:
        """16 bytes that rows equal in every column share, and no others."""

    def records(self) -> list[Record]:
        """The rows as dicts."""


class RecordRows:
    """Rows that are dicts, each with columns of its own."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._columns: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def column(self, name: str) -> list[Any]:  # noqa: D102
        if name not in self._columns:  # which several fields, keys and labels may read
            try:
                self._columns[name] = list(map(itemgetter(name), self._records))
            except KeyError:
                self._columns[name] = [record.get(name) for record in self._records]
        return self._columns[name]

    def digests(self, problems: Problems) -> list[bytes]:  # noqa: D102
        digests = []
        for position, record in enumerate(self._records):
            try:
                digests.append(record_digest(record))
            except RecursionError:
                problems.setdefault(
                    position, UnusableLineError(Reason.MALFORMED, "nested too deeply")
                )
                digests.append(bytes(DIGEST_BYTES))
        return digests

    def records(self) -> list[Record]:  # noqa: D102
        return self._records


class JoinedRows:
    """Rows joined of several lines, of which these columns are needed."""

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        self._columns = columns

    def column(self, name: str) -> list[Any]:  # noqa: D102
        return self._columns[name]


class TextRows:
    """Rows of CSV files: texts of the same columns.

    Args:
        names: of the columns.
        values: the texts of each row, in the order of `names`.
    """

    def __init__(self, names: Sequence[str], values: Sequence[Sequence[str]]) -> None:
        self._length = len(values)
        columns = zip(*values, strict=True) if values else ([] for _ in names)
        self._columns: Mapping[str, list[str]] = dict(
            zip(names, ([*map(str.strip, column)] for column in columns), strict=True)
        )

    def __len__(self) -> int:
        return self._length

    def column(self, name: str) -> list[Any]:  # noqa: D102
        column = self._columns.get(name)
        return column if column is not None else [None] * self._length

    def digests(self, problems: Problems) -> list[bytes]:  # noqa: ARG002, D102 (texts have no problems)
        # No value holds a line feed, which ended the line. The order of the columns may differ from
        # file to file.
        names = sorted(self._columns)
        head = hashlib.blake2b("\n".join(names).encode(), digest_size=DIGEST_BYTES).digest()
        rows = map("\n".join, zip(*(self._columns[name] for name in names), strict=True))
        return [
            hashlib.blake2b(head + row.encode(), digest_size=DIGEST_BYTES).digest() for row in rows
        ]

    def records(self) -> list[Record]:  # noqa: D102
        return [
            dict(zip(self._columns, row, strict=True))
            for row in zip(*self._columns.values(), strict=True)
        ]


def record_digest(record: Record) -> bytes:
    """16 bytes over all columns and values, whatever their order."""
    try:
        content = orjson.dumps(record, None, orjson.OPT_SORT_KEYS)
        if b"null" in content and not _is_finite(record):
            raise TypeError("orjson writes NaN as null")
    except TypeError:
        content = json.dumps(record, sort_keys=True, default=str).encode()
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list) else True

"""Records of a log in batches, read by column, whatever format they were stored in."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, Self

import orjson

from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError

# The values of one line or row by column.
Record = dict[str, Any]
# The number of a line or row from 1, its first bytes, and its record or the problem with it.
NumberedRecord = tuple[int, bytes, Record | UnusableLineError]
# Problems that make rows unusable, by position. The first problem found of a row stays.
Problems = dict[int, UnusableLineError]

DIGEST_BYTES = 16


class Columns(Protocol):
    """N rows that give values by column."""

    def column(self, name: str) -> list[Any]:
        """Return the N values of a column; None where a row lacks it."""


class Rows(Columns, Protocol):
    """N rows of one source."""

    def __len__(self) -> int: ...

    def digests(self, problems: Problems) -> list[bytes]:
        """Return 16 bytes for each row, which only rows equal in every column share."""

    def records(self) -> list[Record]:
        """Return the rows as dicts."""

    def taken(self, positions: Sequence[int]) -> Rows:
        """Return some of the rows."""


class RecordBatch(NamedTuple):
    """Consecutive lines of a source: records, and the lines that are not records.

    Attributes:
        numbers: the line or row number of each record, from 1.
        raws: the line of each record, or a text in its place.
        rows: the records.
        unusable: number, first bytes and problem of each other line.
    """

    numbers: list[int]
    raws: list[bytes]
    rows: Rows
    unusable: list[tuple[int, bytes, UnusableLineError]]

    def lines(self) -> list[NumberedRecord]:
        """Return all lines in order, each with its record or its problem."""
        records = zip(self.numbers, self.raws, self.rows.records(), strict=True)
        return sorted([*records, *self.unusable], key=itemgetter(0))


class RecordRows:
    """Rows held as dicts, which may differ in their columns."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._columns: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def column(self, name: str) -> list[Any]:  # noqa: D102
        if name not in self._columns:  # several fields, keys and labels may read one column
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

    def taken(self, positions: Sequence[int]) -> RecordRows:  # noqa: D102
        return RecordRows([self._records[position] for position in positions])


class ColumnRows:
    """Rows held as columns. Of several columns with one name, no value is taken for the right one.

    Args:
        names: the names of the columns.
        columns: the values of each column, in the order of `names`.
        length: the number of rows.
    """

    def __init__(self, names: Sequence[str], columns: Iterable[list[Any]], length: int) -> None:
        self._length = length
        self._columns: dict[str, list[Any]] = {}
        for name, column in zip(names, columns, strict=True):
            twin = self._columns.get(name)
            self._columns[name] = (
                column
                if twin is None
                else [twin_value(*values) for values in zip(twin, column, strict=True)]
            )

    def __len__(self) -> int:
        return self._length

    def column(self, name: str) -> list[Any]:  # noqa: D102
        column = self._columns.get(name)
        return column if column is not None else [None] * self._length

    def digests(self, problems: Problems) -> list[bytes]:  # noqa: D102
        return RecordRows(self.records()).digests(problems)

    def records(self) -> list[Record]:  # noqa: D102
        if not self._columns:
            return [{} for _ in range(self._length)]
        return [
            dict(zip(self._columns, row, strict=True))
            for row in zip(*self._columns.values(), strict=True)
        ]

    def taken(self, positions: Sequence[int]) -> Self:  # noqa: D102
        rows = copy.copy(self)
        columns = {
            name: [values[position] for position in positions]
            for name, values in self._columns.items()
        }
        vars(rows).update(_length=len(positions), _columns=columns)
        return rows


class TextRows(ColumnRows):
    """Rows of CSV files: texts in the same columns, without white space around them.

    Args:
        names: the names of the columns.
        values: the texts of each row, in the order of `names`.
        line_breaks: whether a text may hold a line feed.
    """

    def __init__(
        self, names: Sequence[str], values: Sequence[Sequence[str]], *, line_breaks: bool = True
    ) -> None:
        self._line_breaks = line_breaks
        self._has_twins = len(set(names)) < len(names)
        columns = zip(*values, strict=True) if values else ([] for _ in names)
        super().__init__(names, ([*map(str.strip, column)] for column in columns), len(values))

    def digests(self, problems: Problems) -> list[bytes]:  # noqa: ARG002, D102 (texts have no problems)
        # Files may differ in the order of their columns.
        names = sorted(self._columns)
        head = hashlib.blake2b("\n".join(names).encode(), digest_size=DIGEST_BYTES).digest()
        columns = [self._columns[name] for name in names]
        if self._has_twins:
            columns = [[*map(str, column)] for column in columns]
        rows: Iterable[str] = map("\n".join, zip(*columns, strict=True))
        if self._line_breaks:
            rows = [
                # A value holds a line feed itself.
                f"{row}\n{[*map(len, values)]}" if row.count("\n") >= len(names) else row
                for row, values in zip(rows, zip(*columns, strict=True), strict=True)
            ]
        return [
            hashlib.blake2b(head + row.encode(), digest_size=DIGEST_BYTES).digest() for row in rows
        ]


def twin_value(one: Any, other: Any) -> UnusableValue:
    """Return the value of a record that gives a column twice, which nobody can use."""
    return UnusableValue(Reason.MALFORMED, f"the column is given twice, as {one} and {other}")


def unreadable_batch(number: int, detail: str) -> RecordBatch:
    """Return a batch of one line, from which on nothing can be read."""
    problem = UnusableLineError(Reason.UNREADABLE, detail)
    return RecordBatch([], [], RecordRows([]), [(number, b"", problem)])


def record_digest(record: Record) -> bytes:
    """Digest all columns and values of a record to 16 bytes, independent of their order."""
    content = exact_json(record, sort_keys=True)
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def exact_json(value: Any, *, sort_keys: bool = False) -> bytes:
    """Encode a JSON value such that unequal values differ, NaN and integers of any size included.

    Raises:
        RecursionError: the value is nested too deeply.
    """
    try:
        content = orjson.dumps(value, None, orjson.OPT_SORT_KEYS if sort_keys else None)
        if b"null" in content and not _is_finite(value):
            raise TypeError("orjson writes NaN as null")
    except TypeError:
        content = json.dumps(value, sort_keys=sort_keys, default=str).encode()
    return content


def _is_finite(value: Any) -> bool:
    """Return whether a JSON value holds neither NaN nor an infinite number."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list | tuple) else True

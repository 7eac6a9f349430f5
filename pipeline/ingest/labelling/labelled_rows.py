"""Rows as ingestion passes them on: an Arrow table of fields, keys, event times and labels, read by the spec's rules.

| column | type | content |
|---|---|---|
| `draw`, `place` | uint64 | halves of a digest that equal rows share, and no others; they order, draw and deduplicate rows |
| `file`, `line` | int32, int64 | number of the file and of the line |
| `raw` | binary | first bytes of the line, kept where a later step may reject the row |
| `day` | int32 | day of the event, as `datetime.date.toordinal` counts; only with an event time |
| `event_time_us` | int64 | microseconds since the Unix epoch; only with an event time |
| `request_key`, `user_key`, `item_key` | binary | only those that the spec declares |
| `key_of.<table>` | binary | the key into a side table; null where missing |
| `field.<name>` | binary, list of binary or float64 | null where missing |
| `label.<task>` | float64 | null outside the task's sample space |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from feature_spec import names
from pipeline.ingest.accounting.rejection import (
    RAW_LIMIT_BYTES,
    Reason,
    RejectedLine,
    UnusableLineError,
)
from pipeline.ingest.labelling.column_readers import ListReader, NumberReader, TextReader
from pipeline.ingest.labelling.event_time import EventTimeReader
from pipeline.ingest.labelling.labels import label_reader
from pipeline.ingest.settings.ingest_config import IngestedField, IngestSettings
from pipeline.ingest.sources.rows import Columns, Problems, Rows

KEY_OF, FIELD, LABEL = "key_of.", "field.", "label."
FieldReader = Callable[[list[Any], Problems], pa.Array | np.ndarray]


class RowLabeller:
    """Reads rows of the log of what was shown.

    Args:
        settings: the spec's rules.
    """

    def __init__(self, settings: IngestSettings) -> None:
        missing = frozenset(settings.logs.missing_values)
        keys = {
            names.REQUEST_KEY: settings.keys.request,
            names.USER_KEY: settings.keys.user,
            names.ITEM_KEY: settings.keys.item,
        }
        self._keys = [
            (name, column, TextReader(column, missing))
            for name, column in keys.items()
            if column is not None
        ]
        self._event_time = settings.keys.event_time
        self._read_event_time = (
            EventTimeReader(self._event_time, missing) if self._event_time is not None else None
        )
        references = {
            name: table.exposure_key or table.key for name, table in settings.logs.tables.items()
        }
        self._references = [
            (KEY_OF + name, column, TextReader(column, missing))
            for name, column in references.items()
        ]
        self._values = ValuesReader(settings)
        self._keeps_raw = settings.logs.deduplicate or settings.split.evaluation_days is not None

    def __call__(
        self, rows: Rows, source: str, file: int, lines: list[int], raws: list[bytes]
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Reads rows.

        Args:
            rows: N of them.
            source: name of their file.
            file: its number.
            lines: the number of each row's line.
            raws: each row's line.

        Returns:
            the rows that can be used, and those that cannot, each with the first reason that
            applies.
        """
        problems: Problems = {}
        columns = self.identify(rows, problems) | self.describe(rows, problems)
        columns |= origin(file, lines, raws if self._keeps_raw else [b""] * len(rows))
        return usable_rows(pa.table(columns), problems, source, lines, raws)

    # Columns are read in the order of precedence: the first problem of a row stays.

    def identify(self, rows: Rows, problems: Problems) -> dict[str, Any]:
        """Keys, event times, days and digests of rows; notes what keeps rows from being known by them."""
        columns: dict[str, Any] = {}
        for name, column, read in self._keys:
            columns[name] = required(column, read, rows, problems)
        if self._event_time is not None and self._read_event_time is not None:
            times, days = self._read_event_time(rows.column(self._event_time.column), problems)
            columns |= {names.EVENT_TIME: times, "day": pa.array(days, pa.int32())}
        return columns | digest_columns(rows, problems)

    def describe(self, rows: Rows, problems: Problems) -> dict[str, pa.Array]:
        """Keys into side tables, fields and labels of rows; notes those whose values cannot be read."""
        references = {
            name: read(rows.column(column), problems) for name, column, read in self._references
        }
        return references | self._values(rows, problems)


class ValuesReader:
    """Reads the fields and labels of the log of what was shown.

    Args:
        settings: the spec's rules.
        folded: whether to read those that need a column that impressions get from their actions, or
            those that do not.
    """

    def __init__(self, settings: IngestSettings, folded: bool = False) -> None:
        missing = frozenset(settings.logs.missing_values)
        folds = set(settings.logs.actions.folds) if settings.logs.actions is not None else set()
        fields = {
            name: field
            for name, field in settings.fields_of(None).items()
            if (field.column in folds) == folded
        }
        tasks = {
            name: task
            for name, task in settings.tasks.items()
            if (not folds.isdisjoint(task.columns.values())) == folded
        }
        self._fields = field_readers(fields, missing)
        self._labels = [(LABEL + name, label_reader(task, missing)) for name, task in tasks.items()]
        self.columns = sorted(
            {column for task in tasks.values() for column in task.columns.values()} - folds
        )

    def __call__(self, rows: Columns, problems: Problems) -> dict[str, pa.Array]:
        """The columns by their names in the table; notes the rows whose values cannot be read."""
        columns = read_fields(self._fields, rows, problems)
        for name, read_labels in self._labels:
            labels = read_labels(rows, problems)
            columns[name] = pa.array(labels, mask=np.isnan(labels))
        return columns


def required(column: str, read: TextReader, rows: Rows, problems: Problems) -> pa.Array:
    """The texts of a column; notes the rows without one."""
    texts = read(rows.column(column), problems)
    for position in np.flatnonzero(texts.is_null()).tolist() if texts.null_count else ():
        problems.setdefault(position, UnusableLineError(Reason.MISSING_KEY, f"{column}: missing"))
    return texts


def digest_columns(rows: Rows, problems: Problems) -> dict[str, np.ndarray]:
    """The columns that equal rows share; notes the rows that cannot be compared."""
    return halves(rows.digests(problems), "draw", "place")


def halves(digests: list[bytes], high: str, low: str) -> dict[str, np.ndarray]:
    """Digests of 16 bytes as two columns of those names."""
    both = np.frombuffer(b"".join(digests), ">u8").reshape(-1, 2).astype(np.uint64)
    return {high: both[:, 0], low: both[:, 1]}


def origin(file: int, lines: list[int], raws: list[bytes]) -> dict[str, pa.Array]:
    """The columns that say where rows come from."""
    return {
        "file": pa.array(np.full(len(lines), file, np.int32)),
        "line": pa.array(lines, pa.int64()),
        "raw": pa.array([raw[:RAW_LIMIT_BYTES] for raw in raws], pa.binary()),
    }


def usable_rows(
    table: pa.Table, problems: Problems, source: str, lines: list[int], raws: list[bytes]
) -> tuple[pa.Table, list[RejectedLine]]:
    """The rows of a table without problems, and the lines of the others; arguments as of `RowLabeller`."""
    if problems:
        usable = np.ones(table.num_rows, bool)
        usable[list(problems)] = False
        table = table.filter(pa.array(usable))
    rejected = [
        RejectedLine(
            source,
            lines[position],
            problems[position].reason,
            problems[position].detail,
            raws[position],
        )
        for position in sorted(problems)
    ]
    return table, rejected


def field_readers(
    fields: dict[str, IngestedField], missing: frozenset[str]
) -> list[tuple[str, str, FieldReader]]:
    """The name, the column and the reader of each field."""
    readers: list[tuple[str, str, FieldReader]] = []
    for name, field in fields.items():
        reader: FieldReader
        if field.kind == "numeric":
            reader = NumberReader(field.column, missing, field.minimum, field.maximum)
        elif field.separator is not None:
            reader = ListReader(field.column, field.separator, missing)
        else:
            reader = TextReader(field.column, missing)
        readers.append((name, field.column, reader))
    return readers


def read_fields(
    readers: list[tuple[str, str, FieldReader]], rows: Columns, problems: Problems
) -> dict[str, pa.Array]:
    """The columns of the fields by their names in the table; notes the rows whose values cannot be read."""
    columns = {}
    for name, column, read in readers:
        values = read(rows.column(column), problems)
        columns[FIELD + name] = (
            pa.array(values, mask=np.isnan(values)) if isinstance(values, np.ndarray) else values
        )
    return columns

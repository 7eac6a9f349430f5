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
from pipeline.ingest.columns import ListReader, NumberReader, TextReader
from pipeline.ingest.event_time import EventTimeReader
from pipeline.ingest.labels import label_reader
from pipeline.ingest.rejection import RAW_LIMIT_BYTES, Reason, RejectedLine, UnusableLineError
from pipeline.ingest.rows import Problems, Rows
from pipeline.ingest.settings import IngestedField, IngestSettings

KEY_OF, FIELD, LABEL = "key_of.", "field.", "label."
FieldReader = Callable[[list[Any], Problems], pa.Array | np.ndarray]


class RowLabeller:
    """Reads rows of the exposure log.

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
        self._keys = [(name, column, TextReader(column, missing)) for name, column in keys.items() if column is not None]
        references = {name: table.exposure_key or table.key for name, table in settings.logs.tables.items()}
        self._references = [(KEY_OF + name, column, TextReader(column, missing)) for name, column in references.items()]
        self._fields = field_readers(settings.fields_of(None), missing)
        self._labels = [(LABEL + name, label_reader(task, missing)) for name, task in settings.tasks.items()]
        self._event_time = settings.keys.event_time
        self._read_event_time = EventTimeReader(self._event_time, missing) if self._event_time is not None else None
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
            the rows that can be used, and those that cannot, each with the first reason that applies.
        """
        # Columns are read in the order of precedence: the first problem of a row stays.
        problems: Problems = {}
        columns: dict[str, Any] = {}
        for name, column, read in self._keys:
            keys = read(rows.column(column), problems)
            for position in np.flatnonzero(keys.is_null()).tolist() if keys.null_count else ():
                problems.setdefault(position, UnusableLineError(Reason.MISSING_KEY, f"{column}: missing"))
            columns[name] = keys
        if self._event_time is not None and self._read_event_time is not None:
            times, days = self._read_event_time(rows.column(self._event_time.column), problems)
            columns |= {names.EVENT_TIME: times, "day": pa.array(days, pa.int32())}
        digests = np.frombuffer(b"".join(rows.digests(problems)), ">u8").reshape(-1, 2).astype(np.uint64)
        for name, column, read in self._references:
            columns[name] = read(rows.column(column), problems)
        columns |= read_fields(self._fields, rows, problems)
        for name, read_labels in self._labels:
            labels = read_labels(rows, problems)
            columns[name] = pa.array(labels, mask=np.isnan(labels))
        columns |= {
            "draw": digests[:, 0],
            "place": digests[:, 1],
            "file": pa.array(np.full(len(rows), file, np.int32)),
            "line": pa.array(lines, pa.int64()),
            "raw": pa.array([raw[:RAW_LIMIT_BYTES] if self._keeps_raw else b"" for raw in raws], pa.binary()),
        }
        return usable_rows(pa.table(columns), problems, source, lines, raws)


def usable_rows(
    table: pa.Table, problems: Problems, source: str, lines: list[int], raws: list[bytes]
) -> tuple[pa.Table, list[RejectedLine]]:
    """The rows of a table without problems, and the lines of the others; arguments as of `RowLabeller`."""
    if problems:
        usable = np.ones(table.num_rows, bool)
        usable[list(problems)] = False
        table = table.filter(pa.array(usable))
    rejected = [
        RejectedLine(source, lines[position], problems[position].reason, problems[position].detail, raws[position])
        for position in sorted(problems)
    ]
    return table, rejected


def field_readers(fields: dict[str, IngestedField], missing: frozenset[str]) -> list[tuple[str, str, FieldReader]]:
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


def read_fields(readers: list[tuple[str, str, FieldReader]], rows: Rows, problems: Problems) -> dict[str, pa.Array]:
    """The columns of the fields by their names in the table; notes the rows whose values cannot be read."""
    columns = {}
    for name, column, read in readers:
        values = read(rows.column(column), problems)
        columns[FIELD + name] = pa.array(values, mask=np.isnan(values)) if isinstance(values, np.ndarray) else values
    return columns

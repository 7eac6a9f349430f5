"""Rows as ingestion passes them on: an Arrow table of fields, keys, event times and labels.

| column | type | content |
|---|---|---|
| `digest_high`, `digest_low` | uint64 | halves of a digest that only equal rows share; they draw, order, deduplicate and shard rows |
| `file`, `line` | int32, int64 | number of the file and of the line |
| `raw` | binary | first bytes of the line, kept where a later step may reject the row |
| `day` | int32 | day of the event, as `datetime.date.toordinal` counts; only with an event time |
| `event_time_us` | int64 | microseconds since the Unix epoch; only with an event time |
| `arrival_us` | int64 | time of arrival, likewise; only where histories ask for it |
| `request_key`, `user_key`, `item_key` | binary | only the keys that the spec declares |
| `key_of.<table>` | binary | the key into a side table; null where missing |
| `field.<name>` | binary, list of binary, float64 or list of float32 | null where missing |
| `weight` | float64 | only with weights of examples |
| `label.<task>` | float64 | null outside the task's sample space |
| `where.<sequence>` | bool | whether the row counts for a sequence of the histories that has a condition |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from pipeline.ingest.accounting.rejection import (
    RAW_LIMIT_BYTES,
    Reason,
    RejectedLine,
    UnusableLineError,
)
from pipeline.ingest.formats.record_batch import Columns, Problems, Rows
from pipeline.ingest.labelling.event_time import EventTimeReader
from pipeline.ingest.labelling.labels import label_reader
from pipeline.ingest.labelling.value_readers import (
    EventReader,
    ListReader,
    ListWeightsReader,
    NumberReader,
    TextReader,
    VectorReader,
)
from pipeline.ingest.settings.ingest_config import IngestedField, IngestSettings

KEY_OF, FIELD, LABEL, WHERE = "key_of.", "field.", "label.", "where."
ARRIVAL, WEIGHT = "arrival_us", "weight"
# Columns of joined impressions, before the name of a label or a condition (see `label_changes`).
CHANGE = "change."
CHANGE_TIME = "change.time_us"
FieldReader = Callable[[Columns, Problems], pa.Array | np.ndarray]


class RowLabeller:
    """Reads rows of the exposure log, or of the log of impressions.

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
        self._arrival = settings.histories.arrival_time if settings.histories is not None else None
        self._read_arrival = (
            EventTimeReader(self._arrival, missing) if self._arrival is not None else None
        )
        references = {
            name: table.exposure_key or table.key for name, table in settings.logs.tables.items()
        }
        self._references = [
            (KEY_OF + name, column, TextReader(column, missing))
            for name, column in references.items()
        ]
        self._values = ValuesReader(settings)
        self._weight = settings.weight
        self._read_weight = NumberReader(settings.weight or "", missing, minimum=0.0)
        self._keeps_raw = settings.deduplicates or settings.split.evaluation_days is not None

    def __call__(
        self, rows: Rows, source: str, file: int, lines: list[int], raws: list[bytes]
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Read rows.

        Args:
            rows: N rows of a file.
            source: the name of the file.
            file: the number of the file.
            lines: the line number of each row.
            raws: the line of each row.

        Returns:
            the usable rows, and the rejected lines, each with the first reason that applies.
        """
        problems: Problems = {}
        columns = self.key_columns(rows, problems) | self.value_columns(rows, problems)
        columns |= provenance_columns(file, lines, raws if self._keeps_raw else [b""] * len(rows))
        return usable_rows(pa.table(columns), problems, source, lines, raws)

    # Columns are read in the order of precedence: the first problem of a row stays.

    def key_columns(self, rows: Rows, problems: Problems) -> dict[str, Any]:
        """Read keys, event times, days and digests; note the rows without one of them."""
        columns: dict[str, Any] = {}
        for name, column, read in self._keys:
            columns[name] = required(column, read, rows, problems)
        if self._event_time is not None and self._read_event_time is not None:
            times, days = self._read_event_time(rows.column(self._event_time.column), problems)
            columns |= {names.EVENT_TIME: times, "day": pa.array(days, pa.int32())}
        if self._arrival is not None and self._read_arrival is not None:
            columns[ARRIVAL], _ = self._read_arrival(rows.column(self._arrival.column), problems)
        return columns | digest_columns(rows, problems)

    def value_columns(self, rows: Rows, problems: Problems) -> dict[str, pa.Array]:
        """Read keys into side tables, fields and labels; note the rows with unreadable values."""
        references = {
            name: read(rows.column(column), problems) for name, column, read in self._references
        }
        columns = references | self._values(rows, problems)
        if self._weight is not None:
            weights = self._read_weight(rows.column(self._weight), problems)
            for position in np.flatnonzero(np.isnan(weights)).tolist():
                problems.setdefault(
                    position, UnusableLineError(Reason.MISSING_KEY, f"{self._weight}: missing")
                )
            columns[WEIGHT] = pa.array(weights)
        return columns


class ValuesReader:
    """Reads the fields and labels of exposures or impressions.

    Args:
        settings: the spec's rules.
        folded: whether to read the fields and labels that need a column which impressions get from
            their actions, or the others.

    Attributes:
        columns: the columns of the log that the labels need.
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
        sequences = settings.histories.sequences if settings.histories is not None else {}
        self._conditions = [
            (name, where.event, EventReader(where.event, where.equals, missing))
            for name, where in ((name, sequence.where) for name, sequence in sequences.items())
            if where is not None and (where.event in folds) == folded
        ]
        self._labels = [(LABEL + name, label_reader(task, missing)) for name, task in tasks.items()]
        self.columns = sorted(
            {column for task in tasks.values() for column in task.columns.values()} - folds
        )

    def __call__(self, rows: Columns, problems: Problems) -> dict[str, pa.Array]:
        """Return columns by their names in the table; note the rows with unreadable values."""
        columns = read_fields(self._fields, rows, problems)
        for name, read_labels in self._labels:
            labels = read_labels(rows, problems)
            columns[name] = pa.array(labels, mask=np.isnan(labels))
        for name, column, read_events in self._conditions:
            columns[WHERE + name] = pa.array(read_events(rows.column(column), problems))
        return columns


def required(column: str, read: TextReader, rows: Rows, problems: Problems) -> pa.Array:
    """Return the texts of a column; note the rows without one."""
    texts = read(rows.column(column), problems)
    for position in np.flatnonzero(texts.is_null()).tolist() if texts.null_count else ():
        problems.setdefault(position, UnusableLineError(Reason.MISSING_KEY, f"{column}: missing"))
    return texts


def digest_columns(rows: Rows, problems: Problems) -> dict[str, np.ndarray]:
    """Return the columns that equal rows share; note the rows that cannot be compared."""
    return split_digest(rows.digests(problems), "digest_high", "digest_low")


def split_digest(digests: list[bytes], high: str, low: str) -> dict[str, np.ndarray]:
    """Split digests of 16 bytes into two columns with the names `high` and `low`."""
    both = np.frombuffer(b"".join(digests), ">u8").reshape(-1, 2).astype(np.uint64)
    return {high: both[:, 0], low: both[:, 1]}


def provenance_columns(file: int, lines: list[int], raws: list[bytes]) -> dict[str, pa.Array]:
    """Return the columns that name the file and line of rows."""
    return {
        "file": pa.array(np.full(len(lines), file, np.int32)),
        "line": pa.array(lines, pa.int64()),
        "raw": pa.array([raw[:RAW_LIMIT_BYTES] for raw in raws], pa.binary()),
    }


def usable_rows(
    table: pa.Table, problems: Problems, source: str, lines: list[int], raws: list[bytes]
) -> tuple[pa.Table, list[RejectedLine]]:
    """Split a table into usable rows and rejected lines; arguments as of `RowLabeller`."""
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
) -> list[tuple[str, FieldReader]]:
    """Return the name and the reader of each field."""
    return [(name, _field_reader(field, fields, missing)) for name, field in fields.items()]


def _field_reader(
    field: IngestedField, fields: dict[str, IngestedField], missing: frozenset[str]
) -> FieldReader:
    column, separator = field.column, field.separator or ","
    if field.weights_of is not None:
        of_list = fields[field.weights_of].column
        read_weights = ListWeightsReader(
            column, field.weights_of, field.dimension or 0, separator, missing
        )
        return lambda rows, problems: read_weights(
            rows.column(of_list), rows.column(column), problems
        )
    read: NumberReader | VectorReader | ListReader | TextReader
    if field.kind == "numeric":
        read = NumberReader(column, missing, field.minimum, field.maximum)
    elif field.dimension is not None:
        read = VectorReader(column, field.dimension, separator, missing)
    elif field.separator is not None:
        read = ListReader(column, separator, missing)
    else:
        read = TextReader(column, missing)
    return lambda rows, problems: read(rows.column(column), problems)


def read_fields(
    readers: list[tuple[str, FieldReader]], rows: Columns, problems: Problems
) -> dict[str, pa.Array]:
    """Return the columns of fields by name in the table; note rows with unreadable values."""
    columns = {}
    for name, read in readers:
        values = read(rows, problems)
        columns[FIELD + name] = (
            pa.array(values, mask=np.isnan(values)) if isinstance(values, np.ndarray) else values
        )
    return columns


def line_breaks(texts: pa.ChunkedArray) -> int:
    """Return the number of texts of a column, or of its lists, that hold a line break."""
    count = 0
    for chunk in texts.chunks:
        values = chunk.flatten() if pa.types.is_list(chunk.type) else chunk
        _, _, buffer = values.buffers()
        content = buffer.to_pybytes() if buffer is not None else b""
        # Searching all bytes is fast, and few columns hold a line break anywhere.
        if b"\n" in content or b"\r" in content:
            found = pc.or_kleene(*(pc.match_substring(values, one) for one in ("\n", "\r")))
            count += pc.sum(found).as_py() or 0
    return count


def shard_numbers(rows: pa.Table, shards: int) -> np.ndarray:
    """Return the shard of each row, (N,). Equal rows share one, so a shard holds its duplicates."""
    return rows.column("digest_low").to_numpy() % np.uint64(shards)

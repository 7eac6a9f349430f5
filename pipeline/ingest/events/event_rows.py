"""Lines of event logs as Arrow tables: the columns that joining needs of impressions and actions.

| column | type | of | content |
|---|---|---|---|
| `event_high`, `event_low` | uint64 | both | halves of a digest that lines of one event share |
| `join_key` | binary | both | request or user, and item |
| `event_time_us` | int64 | both | microseconds since the Unix epoch |
| `in_partition` | bool | both | whether the event is of the ingested day, not of one around it; true where all days are ingested |
| `digest_high`, `digest_low` | uint64 | both | halves of a digest that only lines equal in every column share |
| `file`, `line`, `raw` | int32, int64, binary | both | the place of the line; its first bytes, if in the partition |
| columns of `labelled_rows` | | impressions in the partition | what does not depend on actions |
| `carried` | binary | impressions in the partition | the values that labels need beside actions, as a JSON list; if any |
| `problem_reason`, `problem_detail` | string | impressions in the partition | the problem of an unusable impression, which may have actions; else null |
| `kind` | binary | actions | kind of the action |
| `value.<column>` | float64 | actions | values to fold; null where missing |
"""  # noqa: E501

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import (
    RAW_LIMIT_BYTES,
    Reason,
    RejectedLine,
    UnusableLineError,
)
from pipeline.ingest.formats.record_batch import (
    DIGEST_BYTES,
    Problems,
    RecordBatch,
    Rows,
    exact_json,
)
from pipeline.ingest.formats.text_formats import has_long_integer
from pipeline.ingest.labelling.event_time import EventTimeReader
from pipeline.ingest.labelling.labelled_rows import (
    RowLabeller,
    ValuesReader,
    digest_columns,
    provenance_columns,
    required,
    split_digest,
    usable_rows,
)
from pipeline.ingest.labelling.value_readers import NumberReader, TextReader
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.log_days import SpanDay, bounds_us

VALUE = "value."
_KEYS = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)
# The columns that impressions have for the join only.
EVENT_COLUMNS = (
    "event_high",
    "event_low",
    "join_key",
    "in_partition",
    "carried",
    "problem_reason",
    "problem_detail",
)


class ImpressionParser:
    """Reads batches of the log of impressions.

    Args:
        settings: the spec's rules.
    """

    def __init__(self, settings: IngestSettings) -> None:
        self._labeller = RowLabeller(settings)
        self._event = _EventReader(
            settings.logs.impressions.event_id if settings.logs.impressions else None, settings
        )
        by_request = (
            settings.logs.actions is not None and settings.logs.actions.join_by == "request"
        )
        self._join_keys = (names.REQUEST_KEY if by_request else names.USER_KEY, names.ITEM_KEY)
        self._carried = ValuesReader(settings, folded=True).columns
        self._partition = _Partition(settings)

    def __call__(
        self, batch: RecordBatch, source: str, file: int, day: datetime.date | None = None
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Read the records of a batch.

        Args:
            batch: a batch of a file of the log.
            source: the name of the file.
            file: the number of the file.
            day: the day that the file belongs to; None where all days are ingested.

        Returns:
            the events, and the rejected lines, each with the first reason that applies.
        """
        rows, problems = batch.rows, Problems()
        columns = self._labeller.key_columns(rows, problems)
        if day is not None:
            _refuse_strays(columns["day"].to_numpy(), SpanDay(day.toordinal()), problems)
        columns |= self._partition(day, columns[names.EVENT_TIME], problems)
        columns |= self._event(rows, columns, problems)
        columns["join_key"] = _join_keys([columns[key] for key in self._join_keys])
        in_partition = day == self._partition.day
        if in_partition:
            columns |= self._value_columns(rows)
        else:  # only needed to attribute actions
            columns = {name: values for name, values in columns.items() if name not in _KEYS}
        columns |= provenance_columns(
            file, batch.numbers, batch.raws if in_partition else [b""] * len(rows)
        )
        return usable_rows(pa.table(columns), problems, source, batch.numbers, batch.raws)

    def _value_columns(self, rows: Rows) -> dict[str, pa.Array]:
        problems: Problems = {}
        columns = self._labeller.value_columns(rows, problems)
        for column in self._carried:
            _refuse_unusable(column, rows.column(column), problems)
        columns |= _problem_columns(problems, len(rows))
        if self._carried:
            values = zip(*map(rows.column, self._carried), strict=True)
            columns["carried"] = pa.array(list(map(to_json, values)), pa.binary())
        return columns


class ActionParser:
    """Reads batches of the log of actions.

    Args:
        settings: the spec's rules.
    """

    def __init__(self, settings: IngestSettings) -> None:
        log = settings.logs.actions
        assert log is not None  # noqa: S101 (these are event logs)
        missing = frozenset(settings.logs.missing_values)
        self._join_keys = [
            (column, TextReader(column, missing)) for column in settings.join_columns
        ]
        self._kind = (log.kind, TextReader(log.kind, missing))
        self._time_column, self._read_time = (
            log.event_time.column,
            EventTimeReader(log.event_time, missing),
        )
        self._event = _EventReader(log.event_id, settings)
        values = sorted({column.value for column in log.folds.values() if column.value is not None})
        self._values = {column: NumberReader(column, missing) for column in values}
        self._partition = _Partition(settings, by_time=settings.actions_of_all_days)

    def __call__(
        self, batch: RecordBatch, source: str, file: int, day: datetime.date | None = None
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Read the records of a batch; arguments and results as of `ImpressionParser`."""
        rows, problems = batch.rows, Problems()
        columns: dict[str, Any] = {
            "join_key": _join_keys(
                [required(column, read, rows, problems) for column, read in self._join_keys]
            ),
            "kind": required(*self._kind, rows, problems),
        }
        columns[names.EVENT_TIME], _ = self._read_time(rows.column(self._time_column), problems)
        columns |= self._partition(day, columns[names.EVENT_TIME], problems)
        columns |= digest_columns(rows, problems)
        columns |= self._event(rows, columns, problems)
        for column, read in self._values.items():
            values = read(rows.column(column), problems)
            columns[VALUE + column] = pa.array(values, mask=np.isnan(values))
        columns |= provenance_columns(
            file, batch.numbers, batch.raws if day == self._partition.day else [b""] * len(rows)
        )
        return usable_rows(pa.table(columns), problems, source, batch.numbers, batch.raws)


class _Partition:
    """Marks the events of the ingested day, as opposed to events of the days around it.

    Args:
        settings: the spec's rules.
        by_time: whether to go by event times, not by files.
    """

    def __init__(self, settings: IngestSettings, by_time: bool = False) -> None:
        self.day = settings.day
        self._by_time = by_time
        if (
            settings.day is not None
            and settings.keys.event_time is not None
            and settings.logs.actions is not None
        ):
            self._begin_us, self._end_us = bounds_us(
                settings.day, settings.keys.event_time.timezone
            )
            self._reach_us = self._end_us + round(settings.logs.actions.window_s * 1_000_000)

    def __call__(
        self, day: datetime.date | None, times_us: np.ndarray, problems: Problems
    ) -> dict[str, np.ndarray]:
        """Return the column for the events of a day's file.

        Events too late to make a difference are noted as problems, which spares the shuffle.
        """
        if day is not None and self.day is not None and day > self.day:
            detail = f"more than the attribution window after {self.day}"
            for position in np.flatnonzero(times_us >= self._reach_us).tolist():
                problems.setdefault(position, UnusableLineError(Reason.LATE_ACTION, detail))
        if self._by_time:
            return {"in_partition": (times_us >= self._begin_us) & (times_us < self._end_us)}
        return {"in_partition": np.full(len(times_us), day == self.day)}


class _EventReader:
    """Reads what the lines of one event share: its id, or by default the whole record."""

    def __init__(self, event_id: str | None, settings: IngestSettings) -> None:
        self._column = event_id
        self._read = TextReader(event_id or "", settings.logs.missing_values)

    def __call__(
        self, rows: Rows, columns: dict[str, Any], problems: Problems
    ) -> dict[str, np.ndarray]:
        """Return the columns of the event, given the digest columns of the lines."""
        if self._column is None:
            return {"event_high": columns["digest_high"], "event_low": columns["digest_low"]}
        ids = required(self._column, self._read, rows, problems).to_pylist()
        digests = [hashlib.blake2b(text or b"", digest_size=DIGEST_BYTES).digest() for text in ids]
        return split_digest(digests, "event_high", "event_low")


def to_json(values: tuple[Any, ...]) -> bytes:
    """Encode values of a record as a JSON list, from which `from_json` restores equal values."""
    try:
        return exact_json(values)
    except RecursionError:  # such a line is rejected, since it has no digest either
        return orjson.dumps([None] * len(values))


def from_json(rows: Iterable[bytes]) -> list[list[Any]]:
    """Decode the values of each row."""
    content = b"[%b]" % b",".join(rows)
    values: list[list[Any]]
    try:
        values = json.loads(content) if has_long_integer(content) else orjson.loads(content)
    except orjson.JSONDecodeError:  # orjson reads no NaN and no infinite numbers
        values = json.loads(content)
    return values


def _problem_columns(problems: Problems, rows: int) -> dict[str, pa.Array]:
    reasons: list[str | None] = [None] * rows
    details: list[str | None] = [None] * rows
    for position, problem in problems.items():
        reasons[position] = str(problem.reason)
        # A detail may quote half of a surrogate pair.
        detail = problem.detail[:RAW_LIMIT_BYTES].encode("utf-8", errors="backslashreplace")
        details[position] = detail.decode()
    return {
        "problem_reason": pa.array(reasons, pa.string()),
        "problem_detail": pa.array(details, pa.string()),
    }


def _refuse_unusable(column: str, values: list[Any], problems: Problems) -> None:
    """Note the rows whose values JSON would turn into texts that a label could read."""
    if UnusableValue in set(map(type, values)):
        for position, value in enumerate(values):
            if isinstance(value, UnusableValue):
                problem = UnusableLineError(value.reason, f"{column}: {value.detail}")
                problems.setdefault(position, problem)


def _refuse_strays(days: np.ndarray, of_file: SpanDay, problems: Problems) -> None:
    for position in np.flatnonzero(days != of_file.day).tolist():
        if position not in problems:  # else there is no day
            problems[position] = UnusableLineError(
                Reason.STRAY_EVENT_TIME, of_file.stray_detail(int(days[position]))
            )


def _join_keys(keys: list[pa.Array]) -> pa.Array:
    # The length of the first key keeps pairs apart whose texts run together.
    length = pc.cast(pc.cast(pc.binary_length(keys[0]), pa.string()), pa.binary())
    return pc.binary_join_element_wise(length, *keys, pa.scalar(b":", pa.binary()))

"""Lines of event logs as Arrow tables: what joining needs of impressions and actions.

| column | type | of | content |
|---|---|---|---|
| `event_high`, `event_low` | uint64 | both | halves of a digest that lines of one event share |
| `join_key` | binary | both | request or user, and item |
| `event_time_us` | int64 | both | microseconds since the Unix epoch |
| `is_own` | bool | both | whether it is of the day that is ingested, not of a neighbouring one; true where all days are |
| `draw`, `place` | uint64 | both | halves of a digest that lines equal in every column share |
| `file`, `line`, `raw` | int32, int64, binary | both | where it comes from, and the first bytes of our own lines |
| those of `labelled_rows` | | own impressions | what no action has a part in |
| `carried` | binary | own impressions | the values that labels need beside actions, pickled; if they need any |
| `problem` | binary | own impressions | what makes it unusable, although actions may belong to it, pickled; else null |
| `kind` | binary | actions | kind of the action |
| `value.<column>` | float64 | actions | values to fold; null where missing |
"""

from __future__ import annotations

import datetime
import hashlib
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from pipeline.ingest.accounting.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.labelling.column_readers import NumberReader, TextReader
from pipeline.ingest.labelling.event_time import EventTimeReader
from pipeline.ingest.labelling.labelled_rows import (
    RowLabeller,
    ValuesReader,
    digest_columns,
    halves,
    origin,
    required,
    usable_rows,
)
from pipeline.ingest.settings.event_days import SpanDay
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.settings.lookaround_days import bounds_us
from pipeline.ingest.sources.records import RecordBatch
from pipeline.ingest.sources.rows import DIGEST_BYTES, Problems, Rows

VALUE = "value."
_KEYS = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)
# What impressions have for the join only.
EVENT_COLUMNS = ("event_high", "event_low", "join_key", "is_own", "carried", "problem")


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
        self._own_day = _OwnDay(settings)

    def __call__(
        self, batch: RecordBatch, source: str, file: int, day: datetime.date | None = None
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Reads the records of a batch.

        Args:
            batch: from a file of the log.
            source: name of the file.
            file: its number.
            day: the day that it is a file of; None where all days are ingested.

        Returns:
            the events, and the records that are none, each with the first reason that applies.
        """
        rows, problems = batch.rows, Problems()
        columns = self._labeller.identify(rows, problems)
        if day is not None:
            _refuse_strays(columns["day"].to_numpy(), SpanDay(day.toordinal()), problems)
        columns |= self._own_day(day, columns[names.EVENT_TIME], problems)
        columns |= self._event(rows, columns, problems)
        columns["join_key"] = _join_keys([columns[key] for key in self._join_keys])
        is_own = day == self._own_day.day
        if is_own:
            columns |= self._described(rows)
        else:  # no more is needed than whose the actions are
            columns = {name: values for name, values in columns.items() if name not in _KEYS}
        columns |= origin(file, batch.numbers, batch.raws if is_own else [b""] * len(rows))
        return usable_rows(pa.table(columns), problems, source, batch.numbers, batch.raws)

    def _described(self, rows: Rows) -> dict[str, pa.Array]:
        problems: Problems = {}
        columns = self._labeller.describe(rows, problems)
        pickled = [
            pickle.dumps(problems[row]) if row in problems else None
            for row in range(len(rows) if problems else 0)
        ]
        columns["problem"] = pa.array(pickled or [None] * len(rows), pa.binary())
        if self._carried:
            values = zip(*map(rows.column, self._carried), strict=True)
            columns["carried"] = pa.array(list(map(pickle.dumps, values)), pa.binary())
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
        self._own_day = _OwnDay(settings, by_time=settings.actions_of_all_days)

    def __call__(
        self, batch: RecordBatch, source: str, file: int, day: datetime.date | None = None
    ) -> tuple[pa.Table, list[RejectedLine]]:
        """Reads the records of a batch; arguments and results as of `ImpressionParser`."""
        rows, problems = batch.rows, Problems()
        columns: dict[str, Any] = {
            "join_key": _join_keys(
                [required(column, read, rows, problems) for column, read in self._join_keys]
            ),
            "kind": required(*self._kind, rows, problems),
        }
        columns[names.EVENT_TIME], _ = self._read_time(rows.column(self._time_column), problems)
        columns |= self._own_day(day, columns[names.EVENT_TIME], problems)
        columns |= digest_columns(rows, problems)
        columns |= self._event(rows, columns, problems)
        for column, read in self._values.items():
            values = read(rows.column(column), problems)
            columns[VALUE + column] = pa.array(values, mask=np.isnan(values))
        columns |= origin(
            file, batch.numbers, batch.raws if day == self._own_day.day else [b""] * len(rows)
        )
        return usable_rows(pa.table(columns), problems, source, batch.numbers, batch.raws)


class _OwnDay:
    """Tells the events of the day that is ingested from those of its neighbours.

    Args:
        settings: the spec's rules.
        by_time: whether times tell, in place of files.
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
        """The column of events of a day's file; notes those that are too late to make a difference, to spare the shuffle."""
        if day is not None and self.day is not None and day > self.day:
            detail = f"more than the attribution window after {self.day}"
            for position in np.flatnonzero(times_us >= self._reach_us).tolist():
                problems.setdefault(position, UnusableLineError(Reason.LATE_ACTION, detail))
        if self._by_time:
            return {"is_own": (times_us >= self._begin_us) & (times_us < self._end_us)}
        return {"is_own": np.full(len(times_us), day == self.day)}


class _EventReader:
    """Reads what lines of one event share: its id, or by default everything."""

    def __init__(self, event_id: str | None, settings: IngestSettings) -> None:
        self._column = event_id
        self._read = TextReader(event_id or "", settings.logs.missing_values)

    def __call__(
        self, rows: Rows, columns: dict[str, Any], problems: Problems
    ) -> dict[str, np.ndarray]:
        """The columns of the event, given those of the line's digest."""
        if self._column is None:
            return {"event_high": columns["draw"], "event_low": columns["place"]}
        ids = required(self._column, self._read, rows, problems).to_pylist()
        digests = [hashlib.blake2b(text or b"", digest_size=DIGEST_BYTES).digest() for text in ids]
        return halves(digests, "event_high", "event_low")


def _refuse_strays(days: np.ndarray, of_file: SpanDay, problems: Problems) -> None:
    for position in np.flatnonzero(days != of_file.day).tolist():
        if position not in problems:  # else there is no day
            problems[position] = UnusableLineError(
                Reason.STRAY_EVENT_TIME, of_file.stray_detail(int(days[position]))
            )


def _join_keys(keys: list[pa.Array]) -> pa.Array:
    # The first key's length keeps pairs apart whose texts run together.
    length = pc.cast(pc.cast(pc.binary_length(keys[0]), pa.string()), pa.binary())
    return pc.binary_join_element_wise(length, *keys, pa.scalar(b":", pa.binary()))

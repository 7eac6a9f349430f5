"""Events from the values of a stream's records: a line each, read as ingestion reads it."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from feature_spec.logs.log_values import UnusableLineError
from feature_spec.logs.logs import RejectionReason
from feature_spec.logs.source import Source
from feature_spec.spec import FeatureSpec
from serving.histories.event_files import SideTables, keeps
from serving.histories.history_event import HistoryEvent, Kind, malformed


class Record(NamedTuple):
    """A record of a topic.

    Attributes:
        topic: its topic.
        partition: the number of its partition.
        offset: its offset.
        value: its value; None if it has none.
        time_ms: its time by Kafka, in milliseconds since the Unix epoch; -1 without one.
    """

    topic: str
    partition: int
    offset: int
    value: bytes | None
    time_ms: int

    @property
    def place(self) -> str:
        """The record's place, for messages."""
        return f"kafka:{self.topic}/{self.partition}, offset {self.offset}"

    @property
    def id(self) -> str:
        """An id, which a record at the same place of a topic that was made anew does not have."""
        return f"{self.place}, at {self.time_ms}"


@dataclass(frozen=True, kw_only=True)
class StreamLog:
    """A log whose lines are records of topics.

    Attributes:
        topics: the topics.
        source: what the spec says of its lines: format, encoding, columns and `where`.
        kind: the kind of its events; None for exposures or impressions.
    """

    topics: Sequence[str]
    source: Source
    kind: Kind | None = None


class RecordReader:
    """Reads the events of records.

    Args:
        spec: the spec.
        logs: the logs that the records may be lines of.
        tables: the side tables to join, if any.
    """

    def __init__(
        self, spec: FeatureSpec, logs: Sequence[StreamLog], tables: SideTables | None
    ) -> None:
        self._logs, self._tables = logs, tables
        self._missing, self._max_line_bytes = spec.logs.missing_values, spec.logs.max_line_bytes
        self._actions, self._shown = spec.logs.actions, spec.logs.shown
        # Where equal lines count each, a record's place and time tell it apart from its equals.
        self._place_is_id = self._actions is None and not spec.deduplicates

    def events(self, record: Record) -> Iterator[HistoryEvent | UnusableLineError | None]:
        """Yield for each log with the record's topic an event, the reason for none, or None.

        None is a line that `where` leaves out.
        """
        for log in self._logs:
            if record.topic in log.topics:
                try:
                    yield self._event(record, log)
                except UnusableLineError as error:
                    yield UnusableLineError(error.reason, f"{record.place}: {error.detail}")

    def _event(self, record: Record, log: StreamLog) -> HistoryEvent | None:
        event = event_of_value(record.value, log.source, self._max_line_bytes)
        event = replace(event, kind=event.kind or log.kind, place=record.place)
        source = log.source if event.kind in (log.kind, None) else self._source(event.kind)
        if not keeps(source, event.columns, self._missing):
            return None
        if self._place_is_id and event.id is None:
            event = replace(event, id=record.id)
        return self._tables.joined(event) if self._tables is not None else event

    def _source(self, kind: Kind | None) -> Source:
        return (self._actions if kind == "action" else None) or self._shown


def event_of_value(value: bytes | None, source: Source, max_line_bytes: int) -> HistoryEvent:
    """Return the event of a record's value.

    Raises:
        UnusableLineError: ingestion would reject the record.
    """
    wrong = UnusableLineError(RejectionReason.WRONG_ENCODING, f"not {source.encoding.upper()}")
    try:
        # Like ingestion; `bytes.decode` guesses the order of the bytes of UTF-16 without a mark.
        decoder = codecs.getincrementaldecoder(source.encoding)()
        line = decoder.decode(value or b"", final=True).rstrip("\r\n")
        size = len(line.encode())
    except UnicodeError:
        raise wrong from None
    if size > max_line_bytes:
        raise UnusableLineError(
            RejectionReason.LINE_TOO_LONG, f"{size:,} bytes, at most {max_line_bytes:,}"
        )
    if not line or line.isspace():
        detail = "a record without a value" if value is None else "nothing but white space"
        raise UnusableLineError(RejectionReason.EMPTY_LINE, detail)
    if source.format == "csv":
        return HistoryEvent(columns=_csv_row(line, source))
    if "\n" in line:
        raise malformed("one line is needed; received several")
    return HistoryEvent.from_json(line)


def _csv_row(line: str, source: Source) -> dict[str, str]:
    csv.field_size_limit(max(csv.field_size_limit(), len(line)))
    try:
        rows = list(
            csv.reader(
                line.splitlines(keepends=True),
                delimiter=source.delimiter,
                skipinitialspace=True,
                strict=True,
            )
        )
    except csv.Error as error:
        raise malformed(f"not CSV: {error}") from error
    columns = source.columns or []
    if len(rows) != 1:
        raise malformed("one record is needed; received several lines")
    if len(rows[0]) != len(columns):
        raise malformed(f"{len(columns)} values are needed; received {len(rows[0])}")
    return {column: text.strip() for column, text in zip(columns, rows[0], strict=True)}

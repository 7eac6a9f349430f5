"""What an event says of an exposure: its keys, its labels, and the time from which it is known.

Columns are read as ingestion reads those of the log, so both compute the same labels and keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_spec.fields.field import (
    MultiCategoricalField,
    NumericField,
    SequenceField,
    VectorField,
)
from feature_spec.logs.log_values import (
    UnusableLineError,
    event_reader,
    lacks_number,
    list_reader,
    number_reader,
    text_reader,
    time_reader,
    vector_reader,
)
from feature_spec.logs.logs import RejectionReason
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import Value
from feature_spec.tasks.chain import conditions, labels_in_chain
from serving.histories.history_event import HistoryEvent, Kind, malformed

if TYPE_CHECKING:
    import numpy as np

    from feature_spec.logs.event_logs import EventTime


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What is known of an exposure from a time on.

    Attributes:
        known_us: the time from which it is known, in microseconds since the Unix epoch.
        labels: the label by task; NaN outside its sample space.
        happened: the columns and values of `where` that are true, by sequence.
    """

    known_us: int
    labels: Mapping[str, float]
    happened: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """An exposure, and how what is known of it changed.

    Attributes:
        time_us: its time, in microseconds since the Unix epoch.
        texts: the first text of each categorical field, or None, by field.
        moments: what was known of it, the earliest first.
    """

    time_us: int
    texts: Mapping[str, bytes | None]
    moments: tuple[Moment, ...]


class EventReader:
    """Reads the events of a spec.

    Args:
        spec: a spec with histories and `keys.event_time`.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        if spec.histories is None or spec.keys.event_time is None:
            raise ValueError(f"spec {spec.name} has no histories")
        self.histories, self._tasks = spec.histories, spec.tasks
        self._stages = {
            name: [*(spec.tasks[given] for given in conditions(spec.tasks, name)), task]
            for name, task in spec.tasks.items()
        }
        self.missing = frozenset(spec.logs.missing_values)
        self.actions = spec.logs.actions
        self.shown_kind: Kind = "exposure" if self.actions is None else "impression"
        self._deduplicates = spec.deduplicates
        self._ids = {
            "impression": spec.logs.impressions.event_id if spec.logs.impressions else None,
            "action": spec.logs.actions.event_id if spec.logs.actions else None,
        }
        self._keys = {
            name: column
            for name in ("request", "user", "item")
            if (column := getattr(spec.keys, name)) is not None
        }
        self._event_time = spec.keys.event_time
        used = {name for count in self.histories.counts.values() for name in count.by}
        for sequence in self.histories.sequences.values():
            used |= {*sequence.by, *sequence.fields}
        fields = {
            name: part
            for name, part in spec.fields.items()
            if part.history is None and name not in spec.time_fields
        }
        self._of_tables = {name for name in used if fields[name].table is not None}
        read = {name for name, part in fields.items() if part.table is None} | used
        self._fields = {
            name: (part.column or name, _field_reader(name, part, self.missing))
            for name, part in fields.items()
            if name in read
        }
        self._used = used
        self._columns = sorted(self._read_columns())

    def _read_columns(self) -> set[str]:
        columns = {column for column, _ in self._fields.values()} | set(self._keys.values())
        columns |= {self._event_time.column, *filter(None, self._ids.values())}
        if self.histories.arrival_time is not None:
            columns.add(self.histories.arrival_time.column)
        for task in self._tasks.values():
            columns |= set(task.label.columns.values())
            columns |= {task.sample_space.event} if task.sample_space is not None else set()
        for sequence in self.histories.sequences.values():
            columns |= {sequence.where.event} if sequence.where is not None else set()
        if self.actions is not None:
            columns |= {self.actions.kind, self.actions.event_time.column}
            columns |= {rule.value for rule in self.actions.folds.values() if rule.value}
        return columns

    def kind(self, event: HistoryEvent) -> Kind:
        """Return the kind of an event, after a check that the spec has such a log."""
        kind = event.kind or self.shown_kind
        valid = (self.shown_kind,) if self.actions is None else ("impression", "action")
        if kind not in valid:
            logs = " and ".join(f"{name}s" for name in valid)
            raise malformed(f"kind: the spec has logs of {logs}; received {kind}")
        return kind

    def identity(self, event: HistoryEvent) -> bytes:
        """Return 16 bytes that events with one id share."""
        text = f"{self.kind(event)} {self._id_text(event)}"
        return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()

    def _id_text(self, event: HistoryEvent) -> str:
        if event.id is not None:
            return event.id
        kind = self.kind(event)
        column = self._ids.get(kind)
        if column is not None:
            return self._required(column, event).decode()
        if kind != "exposure" or self._deduplicates:
            content = event.to_json().encode(errors="replace")
            return hashlib.blake2b(content, digest_size=16).hexdigest()
        raise UnusableLineError(
            RejectionReason.MISSING_KEY,
            "event_id: needed, since the spec's logs.deduplicate lets equal lines count each",
        )

    def slim(self, event: HistoryEvent) -> HistoryEvent:
        """Return the same event with what the spec reads of it alone."""
        return HistoryEvent(
            columns={name: event.columns[name] for name in self._columns if name in event.columns},
            fields={name: event.fields[name] for name in self._fields if name in event.fields},
            kind=self.kind(event),
            id=self._id_text(event),
        )

    def join_key(self, event: HistoryEvent) -> bytes:
        """Return what an impression shares with its actions."""
        by = self.actions.join_by if self.actions is not None else "request"
        first = self._required(self._keys[by], event)
        return b"%d:" % len(first) + first + self._required(self._keys["item"], event)

    def action_time_us(self, event: HistoryEvent) -> int:
        """Return the time of an action in microseconds since the Unix epoch."""
        assert self.actions is not None  # noqa: S101 (the kind was checked)
        self._required(self.actions.kind, event)
        return self._time_us(self.actions.event_time, event.columns)

    def exposure(self, event: HistoryEvent) -> Exposure:
        """Read an exposure with its feedback.

        Raises:
            UnusableLineError: ingestion would reject the line.
        """
        time_us = self.shown_us(event)
        known_us, arrival = time_us, self.histories.arrival_time
        if arrival is not None:
            known_us = max(time_us, self._time_us(arrival, event.columns))
        return Exposure(
            time_us=time_us,
            texts=self.texts(event),
            moments=(self.moment(known_us, event.columns),),
        )

    def shown_us(self, event: HistoryEvent) -> int:
        """Return the time of an exposure, after a check of its keys."""
        for column in self._keys.values():
            self._required(column, event)
        return self._time_us(self._event_time, event.columns)

    def texts(self, event: HistoryEvent) -> dict[str, bytes | None]:
        """Return the first text of each field that histories read, after a check of all fields."""
        lacking = sorted(self._of_tables - event.fields.keys())
        if lacking:
            raise UnusableLineError(
                RejectionReason.MISSING_KEY,
                f"fields: needs {', '.join(lacking)}, of side tables, which histories read; give "
                "null where a table has no row",
            )
        texts: dict[str, bytes | None] = {}
        for name, (column, read) in self._fields.items():
            value = event.fields[name] if name in event.fields else event.columns.get(column)
            result = read(value)
            if name in self._used:
                texts[name] = result[0] if isinstance(result, tuple) else result
        return texts

    def moment(self, known_us: int, columns: Mapping[str, Any]) -> Moment:
        """Return the labels and events that columns say."""
        values = _EventColumns(columns, self.missing)
        happened = {
            name
            for name, sequence in self.histories.sequences.items()
            if sequence.where is None
            or bool(values.events(sequence.where.event, sequence.where.equals)[0])
        }
        return Moment(
            known_us=known_us,
            labels={
                name: float(labels_in_chain(stages, values)[0])
                for name, stages in self._stages.items()
            },
            happened=frozenset(happened),
        )

    def number(self, column: str, event: HistoryEvent) -> float | None:
        """Return a number of an action; None where missing."""
        number: float | None = number_reader(column, self.missing)(event.columns.get(column))
        return number

    def text(self, column: str, event: HistoryEvent) -> bytes | None:
        """Return a text of an event; None where missing."""
        return text_reader(column, self.missing)(event.columns.get(column))

    def _required(self, column: str, event: HistoryEvent) -> bytes:
        text = self.text(column, event)
        if text is None:
            raise UnusableLineError(RejectionReason.MISSING_KEY, f"{column}: missing")
        return text

    def _time_us(self, of: EventTime, columns: Mapping[str, Any]) -> int:
        value = columns.get(of.column)
        if lacks_number(of.column, value, self.missing):
            raise UnusableLineError(RejectionReason.MISSING_KEY, f"{of.column}: missing")
        return time_reader(of)(value)[0]


def _field_reader(name: str, part: Any, missing: frozenset[str]) -> Callable[[Any], Any]:
    column = part.column or name
    if isinstance(part, NumericField):
        return number_reader(column, missing, part.minimum, part.maximum)
    if isinstance(part, VectorField):
        return vector_reader(column, part.dimension, part.separator, missing)
    if isinstance(part, MultiCategoricalField | SequenceField):
        return list_reader(column, part.separator, missing)
    return text_reader(column, missing)


class _EventColumns:
    """The `ExposureColumns` of one event."""

    def __init__(self, columns: Mapping[str, Any], missing: frozenset[str]) -> None:
        self._columns, self._missing = columns, missing

    def numbers(
        self, column: str, *, minimum: float | None = None, maximum: float | None = None
    ) -> np.ndarray:
        import numpy as np

        read = number_reader(column, self._missing, minimum, maximum)
        number = read(self._columns.get(column))
        return np.array([np.nan if number is None else number])

    def events(self, column: str, equals: list[Value] | None = None) -> np.ndarray:
        import numpy as np

        return np.array([event_reader(column, equals, self._missing)(self._columns.get(column))])

"""Impressions and actions of one request, or user, and item: who belongs to whom, and from when.

What a group of events adds to a store is computed anew with each event of the group, so that events
may come in any order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feature_spec.logs.event_logs import Actions, FoldedColumn
from serving.histories.history_event import HistoryEvent
from serving.histories.reading.event_reader import EventReader, Exposure

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Group:
    """The events of one join key that may still matter.

    Attributes:
        events: the events, with their ids as text, in the order of their times.
    """

    events: tuple[tuple[int, str, HistoryEvent], ...] = ()

    @classmethod
    def from_bytes(cls, value: bytes | None) -> Group:
        """Read a group; None is an empty one."""
        if value is None:
            return cls()
        return cls(
            tuple(
                (time_us, identity, HistoryEvent.from_json(text))
                for time_us, identity, text in json.loads(value)
            )
        )

    def to_bytes(self) -> bytes:
        """Return bytes that `from_bytes` reads."""
        return json.dumps(
            [(time_us, identity, event.to_json()) for time_us, identity, event in self.events]
        ).encode()

    def since(self, time_us: int) -> Group:
        """Return the group without the events before a time."""
        return Group(tuple(event for event in self.events if event[0] >= time_us))

    def until(self, time_us: int) -> Group:
        """Return the group without the events after a time."""
        return Group(tuple(event for event in self.events if event[0] <= time_us))

    def with_event(self, time_us: int, identity: bytes, event: HistoryEvent) -> Group:
        """Return the group with one event more."""
        events = [*self.events, (time_us, identity.hex(), event)]
        return Group(tuple(sorted(events, key=lambda each: each[:2])))


class GroupReader:
    """Reads the exposures of a group.

    Args:
        reader: reads events of a spec with event logs.
    """

    def __init__(self, reader: EventReader) -> None:
        assert reader.actions is not None  # noqa: S101 (these are event logs)
        self._reader, self._actions = reader, reader.actions

    @property
    def window_us(self) -> int:
        """The attribution window in microseconds."""
        return round(self._actions.window_s * _MICROSECONDS)

    def check(self, event: HistoryEvent) -> None:
        """Read an event by itself.

        Raises:
            UnusableLineError: ingestion would reject the line.
        """
        if self._reader.kind(event) == "action":
            for column in {rule.value for rule in self._actions.folds.values() if rule.value}:
                self._reader.number(column, event)
        else:
            self._reader.texts(event)
            self._reader.moment(0, {**event.columns, **self._folded(())})

    def exposures(self, group: Group) -> list[Exposure]:
        """Return the impressions of a group with what their actions made known, and when."""
        shown = [each for each in group.events if self._reader.kind(each[2]) == "impression"]
        actions_of: list[list[tuple[int, HistoryEvent]]] = [[] for _ in shown]
        for time_us, _, event in group.events:
            if self._reader.kind(event) == "action":
                owner = self._owner(shown, time_us)
                if owner is not None:
                    actions_of[owner].append((time_us, event))
        return [
            self._exposure(time_us, event, actions)
            for (time_us, _, event), actions in zip(shown, actions_of, strict=True)
        ]

    def _owner(self, shown: Sequence[tuple[int, str, HistoryEvent]], time_us: int) -> int | None:
        """Return the position of the latest impression that is not after an action."""
        earlier = [position for position, each in enumerate(shown) if each[0] <= time_us]
        if not earlier or time_us - shown[earlier[-1]][0] > self.window_us:
            return None
        return earlier[-1]

    def _exposure(
        self, time_us: int, event: HistoryEvent, actions: Sequence[tuple[int, HistoryEvent]]
    ) -> Exposure:
        moments = []
        for known_us in sorted({time_us, *(at_us for at_us, _ in actions)}):
            so_far = [action for at_us, action in actions if at_us <= known_us]
            if known_us > time_us or not so_far:
                columns = {**event.columns, **self._folded(so_far)}
                moments.append(self._reader.moment(known_us, columns))
                continue
            # Actions at the time of the impression: it is known without them, then with them.
            for known in ((), so_far):
                columns = {**event.columns, **self._folded(known)}
                moments.append(self._reader.moment(known_us, columns))
        return Exposure(time_us=time_us, texts=self._reader.texts(event), moments=tuple(moments))

    def _folded(self, actions: Iterable[HistoryEvent]) -> Mapping[str, Any]:
        actions = list(actions)
        return {
            column: self._fold(rule, self._actions, actions)
            for column, rule in self._actions.folds.items()
        }

    def _fold(self, rule: FoldedColumn, log: Actions, actions: Sequence[HistoryEvent]) -> Any:
        of_kind = [
            action
            for action in actions
            if self._reader.text(log.kind, action) == rule.action.encode()
        ]
        if rule.fold == "any":
            return int(bool(of_kind))
        if rule.fold == "count":
            return len(of_kind)
        assert rule.value is not None  # noqa: S101 (the spec was checked)
        numbers = [self._reader.number(rule.value, action) for action in of_kind]
        values = [number for number in numbers if number is not None]
        if rule.fold == "sum":
            return math.fsum(values)
        return max(values, default=None)

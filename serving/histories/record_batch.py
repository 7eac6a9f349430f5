"""Events that are recorded in one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

from serving.histories import layout, sequence_entries
from serving.histories.changes import Changes, ChangesOfExposures
from serving.histories.databases.key_values import KeyValues, Transaction
from serving.histories.history_event import HistoryEvent
from serving.histories.reading.event_reader import EventReader
from serving.histories.reading.joined_events import Group, GroupReader
from serving.histories.store import HistoryStoreError, RecordCounts

_SECOND_US = 1_000_000


def time_text(time_us: int) -> bytes:
    """Return a time as a text whose order is that of the times."""
    return b"%020d" % max(time_us, 0)


def event_place(key: bytes) -> tuple[int, bytes]:
    """Return the time and the id in the key of an event."""
    start = len(layout.prefix(layout.EVENT, 0))
    return int(key[start : start + 20]), key[start + 20 :]


class RecordBatch:
    """Collects what events change.

    Args:
        database: the database.
        generation: the generation that is changed.
        reader: reads the events.
        changes_of: makes changes of exposures.
        groups: reads impressions with their actions; None without event logs.
        keep_events_s: the seconds for which events are kept.
        until_us: the latest time in the state of the generation, which has all events up to it.
    """

    def __init__(
        self,
        database: KeyValues,
        generation: int,
        *,
        reader: EventReader,
        changes_of: ChangesOfExposures,
        groups: GroupReader | None,
        keep_events_s: int,
        until_us: int,
    ) -> None:
        self._database, self._generation = database, generation
        self._reader, self._changes_of, self._groups = reader, changes_of, groups
        self._kept_us = keep_events_s * _SECOND_US + (groups.window_us if groups else 0)
        self._until_us = until_us
        self._exposures: list[Changes] = []
        self._before: dict[bytes, tuple[bytes | None, Group]] = {}
        self._after: dict[bytes, Group] = {}
        self._fading: dict[bytes, bytes] = {}
        self._newest_us = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self._fading

    def add(self, identity: bytes, event: HistoryEvent) -> bool:
        """Add an event, and return whether it counts; the state has one that is not later.

        Of event logs, such an event is kept for those that belong to it.

        Raises:
            UnusableLineError: ingestion would reject the line; nothing was added.
        """
        if self._groups is None:
            exposure = self._reader.exposure(event)
            time_us = exposure.moments[0].known_us
            if time_us <= self._until_us:
                return False
            self._exposures.append(self._changes_of([exposure]))
        else:
            time_us = self._add_to_group(identity, event, self._groups)
        at, kept = time_text(time_us), self._reader.slim(event).to_json().encode()
        self._fading[self._prefixed(layout.EVENT) + at + identity] = kept
        self._fading[self._prefixed(layout.ID) + identity] = at
        self._newest_us = max(self._newest_us, time_us)
        return time_us > self._until_us

    def _add_to_group(self, identity: bytes, event: HistoryEvent, groups: GroupReader) -> int:
        is_action = self._reader.kind(event) == "action"
        time_us = self._reader.action_time_us(event) if is_action else self._reader.shown_us(event)
        groups.check(event)
        key = self._prefixed(layout.JOIN) + layout.shortened(self._reader.join_key(event))
        if key not in self._after:
            (value,) = self._database.read([key])
            group = Group.from_bytes(value)
            latest_us = max([time_us, *(each[0] for each in group.events)])
            self._before[key] = value, group.since(latest_us - self._kept_us)
            self._after[key] = self._before[key][1]
        kept = self._reader.slim(event)
        self._after[key] = self._after[key].with_event(time_us, identity, kept)
        return time_us

    def transaction(self, expected: Mapping[bytes, bytes | None]) -> Transaction:
        """Return the change of all events.

        Args:
            expected: values that keys must have beside those of the events.
        """
        changes = Changes()
        for of_exposure in self._exposures:
            changes.add_all(of_exposure)
        must_be = dict(expected)
        for key, (value, before) in self._before.items():
            must_be[key] = value
            after = self._after[key]
            if self._groups is not None and after != before:
                made = self._made_by(after, self._groups)
                changes.add_all(made.minus(self._made_by(before, self._groups)))
                self._fading[key] = after.to_bytes()
        added, removed = changes.encoded_entries()
        appends = {
            self._with_generation(key): value
            for key, value in (changes.encoded_rows(self._changes_of.counts) | added).items()
        }
        puts = self._without(removed, appends, must_be)
        return Transaction(
            expected=must_be,
            puts=puts,
            appends=appends,
            fading=self._fading,
            fade_after_s=self._kept_us // _SECOND_US + 1,
            largest={self._prefixed(layout.NEWEST): time_text(self._newest_us)},
        )

    def _made_by(self, group: Group, groups: GroupReader) -> Changes:
        """Return what a group adds to the state."""
        in_state = groups.exposures(group.until(self._until_us))
        return self._changes_of(groups.exposures(group)).minus(self._changes_of(in_state))

    def _without(
        self,
        removed: Mapping[bytes, list[sequence_entries.Entry]],
        appends: dict[bytes, bytes],
        must_be: dict[bytes, bytes | None],
    ) -> dict[bytes, bytes | None]:
        """Return the values of sequences that lose entries."""
        puts: dict[bytes, bytes | None] = {}
        for short_key, entries in removed.items():
            key = self._with_generation(short_key)
            (value,) = self._database.read([key])
            must_be[key] = value
            left = (value or b"") + appends.pop(key, b"")
            for entry in entries:
                kept = sequence_entries.decoded(left, len(entry.texts))
                if entry in kept:
                    kept.remove(entry)
                left = b"".join(map(sequence_entries.encoded, kept))
            puts[key] = left or None
        return puts

    def _prefixed(self, kind: bytes) -> bytes:
        return layout.prefix(kind, self._generation)

    def _with_generation(self, key: bytes) -> bytes:
        return layout.prefix(key[:1], self._generation) + key[1:]


class StreamMove(NamedTuple):
    """A change of the position in a stream, made with the changes of the events before it.

    Attributes:
        before: the position as it must be; None if nothing was read.
        behind: makes the new position of what became of the events.
    """

    before: bytes | None
    behind: Callable[[RecordCounts], bytes]

    def onto(
        self, transaction: Transaction | None, counts: RecordCounts, now: bytes | None, place: str
    ) -> Transaction:
        """Return a transaction that changes the position, too.

        Args:
            transaction: what the events change, if anything.
            counts: what became of the events.
            now: the position as it is.
            place: the place of the store.

        Raises:
            HistoryStoreError: the position is another.
        """
        if now != self.before:
            raise HistoryStoreError(
                f"{place}: another process follows a stream into this store and has read on; a "
                "store has one follower, which goes on where the last one has stopped"
            )
        change = transaction or Transaction()
        return dataclasses.replace(
            change,
            expected={**change.expected, layout.STREAM: self.before},
            puts={**change.puts, layout.STREAM: self.behind(counts)},
        )

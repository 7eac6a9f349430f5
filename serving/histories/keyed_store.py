"""A history store on a database of keys and values: what LMDB and Redis share."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from feature_spec.artifacts.history_state import BEFORE_ALL
from feature_spec.histories.history_fields import AGE
from feature_spec.histories.history_values import (
    age_token,
    cutoff_us,
    label_sums,
    window_begin_us,
)
from feature_spec.logs.log_values import UnusableLineError
from feature_spec.spec import FeatureSpec
from serving.histories import count_rows, layout, sequence_entries
from serving.histories.changes import ChangesOfExposures
from serving.histories.databases.key_values import KeyValues, Transaction
from serving.histories.description import Description, check_digest
from serving.histories.history_event import HistoryEvent
from serving.histories.layout import StoredCount, StoredSequence
from serving.histories.reading.event_reader import EventReader
from serving.histories.reading.joined_events import Group, GroupReader
from serving.histories.record_batch import RecordBatch, StreamMove, event_place, time_text
from serving.histories.request_keys import RequestKeys
from serving.histories.store import HistoryStoreError, HistoryValues, RecordCounts

_EVENTS_AT_ONCE = 200
_MOST_TRIES = 20
# A value is folded each time that it grows across a multiple of this size.
_FOLD_EVERY_BYTES = 2048
_ITEMS_AT_ONCE = 1000
_SECOND_US = 1_000_000


class _Known(NamedTuple):
    """The description as the database holds it, and read.

    One attribute holds both: threads share a store, and a change that is made for one description
    must not be committed under another.
    """

    raw: bytes | None
    description: Description


class KeyedHistoryStore:
    """A `HistoryStore` on a database.

    Args:
        spec: the spec of the model.
        database: the database, which this store closes.
        exact_for_s: features are exact for requests of the last seconds by `clock`; what became
            known before is folded. None folds nothing but `compact`.
        keep_events_s: the seconds for which the id of an event is known, so that it is not recorded
            twice, and the event itself, so that a newer state can be published beneath it. Event
            logs: actions may be recorded so late.
        clock: gives the time in seconds since the Unix epoch.

    Raises:
        HistoryStoreError: the store is of another spec, or the database cannot be used.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        database: KeyValues,
        *,
        exact_for_s: float | None = 3600.0,
        keep_events_s: int = 3 * 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if spec.histories is None or spec.keys.event_time is None:
            raise HistoryStoreError(f"spec {spec.name} has no histories to store")
        self.spec, self.database = spec, database
        self._histories = spec.histories
        self._timezone = spec.keys.event_time.timezone
        self._exact_for_s, self._keep_events_s, self._clock = exact_for_s, keep_events_s, clock
        self.reader = EventReader(spec)
        self._groups = GroupReader(self.reader) if self.reader.actions is not None else None
        self._changes = ChangesOfExposures(spec)
        self.counts, self.sequences = self._changes.counts, self._changes.sequences
        self.row_times_us = self._changes.row_times_us
        self._all: list[StoredCount | StoredSequence] = [*self.counts, *self.sequences]
        self._keys = RequestKeys(spec, self._all)
        nothing = Description(digest=spec.history_digest, parts=spec.history_parts, generation=0)
        self._known = _Known(None, nothing)
        self.refresh()

    @property
    def place(self) -> str:
        """The place of the database."""
        return self.database.place

    @property
    def description(self) -> Description:
        """What the store last said of itself."""
        return self._known.description

    def refresh(self) -> Description:
        """Read the description again.

        Raises:
            HistoryStoreError: the store is of another spec.
        """
        (raw,) = self.database.read([layout.META])
        description = self.description
        if raw is not None:
            description = Description.model_validate_json(raw)
            check_digest(self.spec, description, self.place)
        self._known = _Known(raw, description)
        return description

    def begin(self) -> None:
        """Let a store that holds nothing yet answer that nothing is known."""
        known = self._known
        if known.raw is None:
            self._describe(known, known.description)

    def close(self) -> None:
        """Release files and connections."""
        self.database.close()

    def features(
        self,
        user: Mapping[str, Any],
        context: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]],
        at_us: int,
    ) -> HistoryValues:
        """Return the fields of the histories of a request; see `HistoryStore`."""
        texts = self._keys.texts(user, context, candidates)
        for _ in range(_MOST_TRIES):
            known = self._known
            generation = known.description.generation
            asked = [
                self._keys.keys(history, layout.prefix(history.kind, generation), texts)
                for history in self._all
            ]
            wanted = [key for keys, _ in asked for key in keys if key is not None]
            newest_key = layout.prefix(layout.NEWEST, generation)
            raw, newest, *found = self.database.read([layout.META, newest_key, *wanted])
            if raw == known.raw:
                break
            self.refresh()  # another state was published, or values were folded
        if raw is None:
            raise HistoryStoreError(
                f"{self.place}: holds no histories yet; publish a state, or record events"
            )
        if at_us < known.description.exact_from_us:
            raise HistoryStoreError(
                f"{self.place}: asked for {at_us} µs, and histories are exact from "
                f"{known.description.exact_from_us} µs on"
            )
        cutoff = int(cutoff_us(self._histories, np.array([at_us]), self._timezone)[0])
        values = iter(found)
        sides: dict[str, dict[str, Any]] = {"user": {}, "context": {}, "item": {}}
        for history, (keys, which) in zip(self._all, asked, strict=True):
            if None in keys:
                own = [None if key is None else next(values) for key in keys]
            else:
                own = list(itertools.islice(values, len(keys)))
            if isinstance(history, StoredSequence):
                sides[history.side] |= self._lists(history, own[0], cutoff, at_us)
                continue
            has_key = np.array([key is not None for key in keys])
            numbers = self._numbers(history, own, has_key, cutoff)
            if which is None:
                missing = not has_key[0]
                sides[history.side] |= {
                    name: None if missing else float(column[0]) for name, column in numbers.items()
                }
            else:
                place = np.array(which, np.int64)
                sides["item"] |= {name: column[place] for name, column in numbers.items()}
        return HistoryValues(
            user=sides["user"],
            context=sides["context"],
            items=sides["item"],
            newest_us=int(newest or 0),
        )

    def _numbers(
        self,
        count: StoredCount,
        values: Sequence[bytes | None],
        has_key: np.ndarray,
        cutoff: int,
    ) -> dict[str, np.ndarray]:
        sums = count_rows.CountSums(values, count.codec)
        columns: dict[str, np.ndarray] = {}
        for names in count.columns:
            begin = (
                None
                if names.window_s is None
                else int(window_begin_us(np.array([cutoff]), names.window_s)[0])
            )
            totals = sums.between(begin, cutoff)
            columns[names.shown] = totals[0].astype(np.float32)
            for position, task in enumerate(count.with_seen, start=1):
                columns[names.seen[task]] = totals[position].astype(np.float32)
            for position, task in enumerate(count.tasks, start=1 + len(count.with_seen)):
                columns[names.sums[task]] = label_sums(totals[position])
        if not has_key.all():
            for column in columns.values():
                column[~has_key] = np.nan
        return columns

    def _lists(
        self, sequence: StoredSequence, value: bytes | None, cutoff: int, at_us: int
    ) -> dict[str, list[str]]:
        entries = sequence_entries.newest(
            sequence_entries.decoded(value or b"", sequence.texts), cutoff, sequence.max_length
        )
        lists: dict[str, list[str]] = {}
        text = 0
        for part, column in sequence.columns.items():
            if part == AGE and part not in sequence.fields:
                lists[column] = [age_token(at_us - entry.time_us).decode() for entry in entries]
            else:
                lists[column] = [entry.texts[text].decode() for entry in entries]
                text += 1
        return lists

    def record(self, event: HistoryEvent) -> bool:
        """Add an event, and return whether it was new; see `HistoryStore`."""
        counts = self._record_together([event], refuse=True)
        return counts.recorded == 1

    def record_all(self, events: Iterable[HistoryEvent]) -> RecordCounts:
        """Add events, many at a time, and count them; see `HistoryStore`."""
        counts, remaining = RecordCounts(), iter(events)
        while together := list(itertools.islice(remaining, _EVENTS_AT_ONCE)):
            counts.add(self._record_together(together, refuse=False))
        return counts

    def stream_position(self) -> bytes | None:
        """Return how far a stream was read, as `record_from_stream` was told, or None."""
        return self.database.read([layout.STREAM])[0]

    def record_from_stream(
        self,
        events: Sequence[HistoryEvent],
        before: bytes | None,
        behind: Callable[[RecordCounts], bytes],
    ) -> RecordCounts:
        """Add events of a stream and the position behind them, in one transaction, and count them.

        Args:
            events: the events.
            before: the position before them, as the store must have it.
            behind: makes the position behind them of what became of them.

        Raises:
            HistoryStoreError: the store cannot be used, or has another position.
        """
        return self._record_together(events, refuse=False, moved=StreamMove(before, behind))

    def _record_together(
        self,
        events: Sequence[HistoryEvent],
        *,
        refuse: bool,
        new: Description | None = None,
        moved: StreamMove | None = None,
    ) -> RecordCounts:
        """Add events in one transaction, again until nothing else has come between.

        Args:
            events: the events.
            refuse: whether to raise the error of an unusable event instead of counting it.
            new: the description of a state that is not published yet, to add to it.
            moved: the position in a stream, which changes with them.
        """
        for _ in range(_MOST_TRIES):
            self.begin()
            known = self._known
            into = known.description if new is None else new
            counts, transaction = self._transaction(events, into, known.raw, refuse=refuse)
            if moved is not None:
                transaction = moved.onto(transaction, counts, self.stream_position(), self.place)
            if transaction is None:
                return counts
            sizes = self.database.commit(transaction)
            if sizes is not None:
                self._fold_grown(sizes, transaction.appends, into.generation)
                return counts
            self.refresh()
        raise HistoryStoreError(
            f"{self.place}: others have changed the same keys {_MOST_TRIES} times; record again"
        )

    def _transaction(
        self,
        events: Sequence[HistoryEvent],
        into: Description,
        described: bytes | None,
        *,
        refuse: bool,
    ) -> tuple[RecordCounts, Transaction | None]:
        counts, generation = RecordCounts(), into.generation
        read: list[tuple[bytes, HistoryEvent]] = []
        for event in events:
            try:
                read.append((self.reader.identity(event), event))
            except UnusableLineError as error:
                if refuse:
                    raise
                counts.reject(error, event.place)
        id_keys = [layout.prefix(layout.ID, generation) + identity for identity, _ in read]
        recorded = {
            key
            for key, value in zip(id_keys, self.database.read(id_keys), strict=True)
            if value is not None
        }
        batch = RecordBatch(
            self.database,
            generation,
            reader=self.reader,
            changes_of=self._changes,
            groups=self._groups,
            keep_events_s=self._keep_events_s,
            until_us=BEFORE_ALL if into.until_us is None else into.until_us,
        )
        expected: dict[bytes, bytes | None] = {layout.META: described}
        for key, (identity, event) in zip(id_keys, read, strict=True):
            if key in recorded:
                counts.repeated += 1
                continue
            try:
                counts_now = batch.add(identity, event)
            except UnusableLineError as error:
                if refuse:
                    raise
                counts.reject(error, event.place)
                continue
            recorded.add(key)
            expected[key] = None
            counts.recorded += counts_now
            counts.repeated += not counts_now
        return counts, None if batch.is_empty else batch.transaction(expected)

    def _fold_grown(
        self, sizes: Mapping[bytes, int], appends: Mapping[bytes, bytes], generation: int
    ) -> None:
        grown = [
            key
            for key, size in sizes.items()
            if size // _FOLD_EVERY_BYTES > (size - len(appends[key])) // _FOLD_EVERY_BYTES
        ]
        if grown and self._exact_for_s is not None:
            self._exact_from(self._clock() - self._exact_for_s)
        for key, value in zip(grown, self.database.read(grown), strict=True) if grown else ():
            self._fold(key, value, generation)

    def _exact_from(self, time_s: float) -> None:
        """Let features be exact only from a time on, in steps so that this seldom changes."""
        step_us = max(round((self._exact_for_s or 0.0) * _SECOND_US / 4), 1)
        time_us = round(time_s * _SECOND_US) // step_us * step_us
        known = self._known
        if time_us > known.description.exact_from_us:
            self._describe(known, known.description.model_copy(update={"exact_from_us": time_us}))

    def _fold(self, key: bytes, value: bytes | None, generation: int) -> None:
        """Fold a value, unless others change it just now."""
        if value is None:
            return
        known = self._known
        from_us = known.description.exact_from_us
        cutoff = int(cutoff_us(self._histories, np.array([from_us]), self._timezone)[0])
        number = key[len(layout.prefix(b"c", generation))]
        if key[:1] == layout.COUNT:
            count = self.counts[number]
            rows = count_rows.folded(count.codec.decoded(value), count.windows_s, cutoff)
            short = count.codec.encoded(rows)
        else:
            sequence = self.sequences[number]
            entries = sequence_entries.decoded(value, sequence.texts)
            kept = sequence_entries.folded(entries, sequence.max_length, cutoff)
            short = b"".join(map(sequence_entries.encoded, kept))
        if len(short) < len(value):
            self.database.commit(
                Transaction(
                    expected={layout.META: known.raw, key: value}, puts={key: short or None}
                )
            )

    def _describe(self, known: _Known, description: Description) -> None:
        """Replace the known description, or take the one that others have written."""
        raw = description.model_dump_json().encode()
        done = self.database.commit(
            Transaction(expected={layout.META: known.raw}, puts={layout.META: raw})
        )
        if done is None:
            self.refresh()
        else:
            self._known = _Known(raw, description)

    def compact(self) -> None:
        """Fold all values, and forget old events and what has left every window."""
        if self._exact_for_s is not None and self.refresh() and self._known.raw is not None:
            self._exact_from(self._clock() - self._exact_for_s)
        generation = self.description.generation
        for kind in (layout.COUNT, layout.SEQUENCE):
            for key, value in self.database.items(layout.prefix(kind, generation)):
                self._fold(key, value, generation)
        if not self.database.forgets:
            self._forget(generation)

    def _forget(self, generation: int) -> None:
        (newest,) = self.database.read([layout.prefix(layout.NEWEST, generation)])
        before_us = int(newest or 0) - self._keep_events_s * _SECOND_US
        gone: dict[bytes, bytes | None] = {}
        events = layout.prefix(layout.EVENT, generation)
        for key, _ in self.database.items(events):
            time_us, identity = event_place(key)
            if time_us >= before_us:
                break
            gone |= {key: None, layout.prefix(layout.ID, generation) + identity: None}
        if self._groups is not None:
            window_us = self._groups.window_us
            for key, value in self.database.items(layout.prefix(layout.JOIN, generation)):
                if not Group.from_bytes(value).since(before_us - window_us).events:
                    gone[key] = None
        for some in _batches(gone.items()):
            self.database.commit(Transaction(puts=dict(some)))

    def replace(
        self, values: Iterable[tuple[bytes, bytes]], until_us: int, exposures: int
    ) -> RecordCounts:
        """Put a published state in the place of what the store knows, and keep later events.

        Readers see the old state or the new one. Events later than the state are recorded onto it
        before and after the change, so that none is lost. If this is interrupted, the old state
        stays, and the next one takes its place.

        Args:
            values: keys of counts and sequences, without generation, and their values.
            until_us: the latest time in the state.
            exposures: the number of exposures in the state.
        """
        described = self.refresh()
        old = described.generation
        update = {
            "generation": old + 1,
            "until_us": until_us,
            "exposures": exposures,
            "exact_from_us": max(until_us, described.exact_from_us),
            "published_s": self._clock(),
        }
        new = described.model_copy(update=update)
        self._remove(new.generation)
        for some in _batches(values):
            puts = {layout.prefix(key[:1], new.generation) + key[1:]: value for key, value in some}
            self.database.commit(Transaction(puts=puts))
        self.begin()
        counts = self._record_again(old, new)
        newest = layout.prefix(layout.NEWEST, new.generation)
        self.database.commit(Transaction(largest={newest: time_text(until_us)}))
        while (known := self._known).description.generation == old:
            update["exact_from_us"] = max(until_us, known.description.exact_from_us)
            self._describe(known, known.description.model_copy(update=update))
        counts.recorded += self._record_again(old, new).recorded
        self._remove(old)
        return counts

    def _record_again(self, old: int, new: Description) -> RecordCounts:
        """Record the events of one generation onto a state of another."""
        counts = RecordCounts()
        events = layout.prefix(layout.EVENT, old)
        again = (HistoryEvent.from_json(value) for _, value in self.database.items(events))
        for some in _batches(again):
            counts.add(self._record_together(some, refuse=False, new=new))
        return counts

    def _remove(self, generation: int) -> None:
        for kind in (
            layout.COUNT,
            layout.SEQUENCE,
            layout.ID,
            layout.EVENT,
            layout.JOIN,
            layout.NEWEST,
        ):
            for some in _batches(self.database.items(layout.prefix(kind, generation))):
                self.database.commit(Transaction(puts={key: None for key, _ in some}))


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(items)
    while some := list(itertools.islice(remaining, _ITEMS_AT_ONCE)):
        yield some

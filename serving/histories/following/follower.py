"""Follows a stream: its records go into a store, and its offsets with them."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from feature_spec.logs.log_values import UnusableLineError
from serving.histories import layout
from serving.histories.following.kafka_stream import KafkaStream, StreamError
from serving.histories.following.position import StreamPosition
from serving.histories.history_event import HistoryEvent
from serving.histories.keyed_store import KeyedHistoryStore
from serving.histories.reading.record_events import RecordReader
from serving.histories.store import RecordCounts

_READ_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a follower is.

    Attributes:
        position: what the store has read in all, also by followers before this one.
        lags: the records that were not read yet, by partition.
        newest_us: the time of the newest event of the store, in microseconds since the Unix epoch;
            0 without one.
        trouble: what Kafka's client last said of its connections.
    """

    position: StreamPosition
    lags: dict[str, int] = field(default_factory=dict)
    newest_us: int = 0
    trouble: str = ""


class Follower:
    """Records a stream into a store. Each step is one transaction of the store, with its offsets.

    Args:
        store: the store.
        stream: the stream.
        reader: reads events of records.
        compact_every_s: seconds after which the store is compacted; 0 for never.
        clock: gives the time in seconds since the Unix epoch.

    Attributes:
        details: what was wrong with the first rejected records of this follower.
    """

    def __init__(
        self,
        store: KeyedHistoryStore,
        stream: KafkaStream,
        reader: RecordReader,
        *,
        compact_every_s: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._stream, self._reader = store, stream, reader
        self._compact_every_s, self._clock = compact_every_s, clock
        self._raw: bytes | None = None
        self._position = StreamPosition(cluster="")
        self._counts = RecordCounts()

    @property
    def details(self) -> list[str]:
        """What was wrong with the first records that this follower has rejected."""
        return self._counts.details

    def begin(self, since: datetime.datetime | None = None, *, again: bool = False) -> None:
        """Go on where the store has read to.

        Args:
            since: the time of the first record, in topics of which the store has read nothing.
            again: whether to forget where the store has read to.

        Raises:
            StreamError: Kafka cannot be read, is another cluster, or no longer has what comes next.
            HistoryStoreError: the store cannot be used.
        """
        cluster = self._stream.cluster
        self._raw = self._store.stream_position()
        self._position = StreamPosition(cluster=cluster, compacted_s=self._clock())
        if self._raw is not None:
            self._position = StreamPosition.decoded(self._raw, self._store.place)
        if again:
            self._position = self._position.model_copy(update={"cluster": cluster, "offsets": {}})
        if self._position.cluster != cluster:
            raise StreamError(
                f"{self._store.place}: has read cluster {self._position.cluster} of Kafka, and "
                f"this is {cluster}, whose offsets are others. --again reads it from --since on; "
                "what the store knows by its id does not count twice"
            )
        self._stream.begin(self._position.offsets, since)

    def step(self) -> int:
        """Record what comes within half a second, and return the number of records.

        Raises:
            StreamError: Kafka no longer has the next record, or refuses to give it.
            HistoryStoreError: the store cannot be used, or another follows into it.
        """
        records = self._stream.read(_READ_S)
        if records:
            self._record([event for record in records for event in self._reader.events(record)])
        age_s = self._clock() - self._position.compacted_s
        if self._raw is not None and 0 < self._compact_every_s <= age_s:
            self._store.compact()
            now = {"compacted_s": self._clock()}
            self._position = self._position.model_copy(update=now)
            self._record([])
        return len(records)

    def progress(self) -> Progress:
        """Return how far it is."""
        newest = layout.prefix(layout.NEWEST, self._store.refresh().generation)
        return Progress(
            position=self._position,
            lags=self._stream.lags(),
            newest_us=int(self._store.database.read([newest])[0] or 0),
            trouble=self._stream.trouble,
        )

    def _record(self, read: list[HistoryEvent | UnusableLineError | None]) -> None:
        unusable = RecordCounts(filtered=sum(event is None for event in read))
        for event in read:
            if isinstance(event, UnusableLineError):
                unusable.reject(event)
        before, offsets = self._position, dict(self._stream.next)

        def behind(counts: RecordCounts) -> bytes:
            counts.add(unusable)
            self._position = before.after(counts, offsets)
            return self._position.encoded()

        events = [event for event in read if isinstance(event, HistoryEvent)]
        counts = self._store.record_from_stream(events, self._raw, behind)
        self._raw = self._position.encoded()
        self._counts.add(counts)

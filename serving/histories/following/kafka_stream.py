"""Records of Kafka's topics from given offsets on, partition by partition.

The consumer is assigned all partitions itself. So it needs no consumer group, commits nothing to
Kafka, and is never asked to share partitions with another.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from serving.histories.reading.record_events import Record

# The name for access rules and quotas, where the spec gives none.
_GROUP = "fulcrum-histories"
# What the stream itself sets, so that no record is lost.
OWN_SETTINGS = frozenset(
    {"bootstrap.servers", "enable.auto.commit", "auto.offset.reset", "enable.partition.eof"}
)
_ANSWER_S = 15.0
_RECORDS_AT_ONCE = 200
_LOOK_FOR_PARTITIONS_EVERY_S = 30.0
# Kafka answers so where no record is at or after a time.
_AT_THE_END = -1


class StreamError(Exception):
    """Kafka cannot be read, or no longer has what comes next."""


class KafkaStream:
    """The records of topics.

    Args:
        servers: hosts and ports, such as ``kafka-1:9092,kafka-2:9092``.
        topics: the topics.
        group: the name of the consumer for access rules and quotas.
        settings: further settings of the client, by librdkafka's names; without effect for
            `OWN_SETTINGS`.
        clock: gives seconds that only grow.

    Attributes:
        next: the next offset to read by partition, such as ``feedback/3``.
        ended: the partitions that were read to their end.
        trouble: what the client last said of its connections; empty once records come again.

    Raises:
        StreamError: a setting is not valid.
    """

    def __init__(
        self,
        servers: str,
        topics: Sequence[str],
        *,
        group: str | None = None,
        settings: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers, self._topics, self._clock = servers, topics, clock
        self.next: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self.ended: set[str] = set()
        self.trouble = ""
        self._looked = clock()
        config: dict[str, Any] = {
            "group.id": group or _GROUP,
            **(settings or {}),
            "bootstrap.servers": servers,
            "enable.auto.commit": False,
            # An offset that is gone is an error: its records would be missing without a word.
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "error_cb": self._tell,
        }
        try:
            self._consumer = Consumer(config)
        except (KafkaException, ValueError, TypeError) as error:
            raise StreamError(f"settings of Kafka's client: {_text(error)}") from error

    @property
    def cluster(self) -> str:
        """The id of the cluster.

        Raises:
            StreamError: no server answers.
        """
        return str(self._metadata(self._topics[0]).cluster_id)

    def begin(self, offsets: Mapping[str, int], since: datetime.datetime | None = None) -> None:
        """Begin to read.

        Args:
            offsets: the next offset by partition, as of an earlier read.
            since: the time of the first record to read in topics without such an offset; from their
                begin if None. Partitions that are new in other topics are read from their begin.

        Raises:
            StreamError: no server answers, there is no such topic, or Kafka no longer has the next
                record of a partition.
        """
        partitions = self._partitions()
        known = {place.rpartition("/")[0] for place in offsets}
        fresh = [part for part in partitions if part.topic not in known]
        self.next = {}
        # Before the offsets of times: what comes after this is read.
        bounds = {
            _place(part): self._asked(self._consumer.get_watermark_offsets, part)
            for part in partitions
        }
        if since is not None and fresh:
            asked = [
                TopicPartition(part.topic, part.partition, round(since.timestamp() * 1000))
                for part in fresh
            ]
            for found in self._asked(self._consumer.offsets_for_times, asked):
                if found.error is not None:
                    raise StreamError(f"kafka:{_place(found)}: {found.error.str()}")
                if found.offset != _AT_THE_END:
                    self.next[_place(found)] = found.offset
        for part in partitions:
            place = _place(part)
            low, high = bounds[place]
            if part not in fresh:
                offset = offsets.get(place, 0)
            elif since is None:
                offset = low
            else:
                offset = self.next.get(place, high)
                high = max(high, offset)
            if not low <= offset <= high:
                raise StreamError(_gone(place, offset, low, high))
            self.next[place], self._ends[place] = offset, high
        self._consumer.assign([self._at(place) for place in self.next])

    def read(self, timeout_s: float) -> list[Record]:
        """Return the records that come within some seconds, in the order of each partition.

        Raises:
            StreamError: Kafka no longer has the next record, or refuses to give it.
        """
        if self._clock() - self._looked >= _LOOK_FOR_PARTITIONS_EVERY_S:
            self._look_for_partitions()
        records = []
        try:
            messages: list[Any] = self._consumer.consume(_RECORDS_AT_ONCE, timeout_s)
        except KafkaException as refused:
            raise StreamError(f"Kafka at {self._servers}: {_text(refused)}") from refused
        for message in messages:
            error = message.error()
            if message.topic() is None:
                raise StreamError(f"Kafka at {self._servers}: {error.str()}")
            at = TopicPartition(message.topic(), message.partition(), message.offset())
            place = _place(at)
            if error is None:
                _, time_ms = message.timestamp()
                records.append(Record(at.topic, at.partition, at.offset, message.value(), time_ms))
                self.next[place] = at.offset + 1
                self.ended.discard(place)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (Kafka's own name)
                # What lies between are marks of transactions, which are no records.
                self.next[place] = max(self.next[place], at.offset)
                self.ended.add(place)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 (likewise)
                low, high = self._asked(self._consumer.get_watermark_offsets, at)
                raise StreamError(_gone(place, self.next[place], low, high))
            elif error.retriable():
                self.trouble = error.str()
                continue
            else:
                raise StreamError(f"kafka:{place}: {error.str()}")
            self.trouble = ""
        return records

    @property
    def at_end(self) -> bool:
        """Whether every partition was read to its end."""
        return self.next.keys() <= self.ended

    def lags(self) -> dict[str, int]:
        """Return the number of records that were not read yet, as far as known, by partition."""
        lags = {}
        for place, offset in self.next.items():
            _, high = self._consumer.get_watermark_offsets(self._at(place), cached=True)
            # The client does not know the end before it has fetched something.
            lags[place] = max(high, self._ends.get(place, 0), offset) - offset
        return lags

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def _look_for_partitions(self) -> None:
        """Read partitions that topics were given since, from their begin."""
        self._looked = self._clock()
        try:
            new = [part for part in self._partitions() if _place(part) not in self.next]
        except StreamError as error:
            self.trouble = str(error)  # servers may be away for a while
            return
        for part in new:
            part.offset = 0
            self.next[_place(part)] = 0
        if new:
            self._consumer.incremental_assign(new)

    def _partitions(self) -> list[TopicPartition]:
        found = []
        for topic in self._topics:
            described = self._metadata(topic).topics[topic]
            if described.error is not None:
                raise StreamError(f"kafka:{topic}: {described.error.str()}")
            found += [TopicPartition(topic, number) for number in sorted(described.partitions)]
        return found

    def _metadata(self, topic: str) -> Any:
        return self._asked(self._consumer.list_topics, topic)

    def _asked(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return ask(*arguments, timeout=_ANSWER_S)
        except KafkaException as error:
            self._consumer.poll(0)  # lets it tell what is wrong with its connections
            said = f"; {self.trouble}" if self.trouble else ""
            raise StreamError(f"Kafka at {self._servers}: {_text(error)}{said}") from error

    def _at(self, place: str) -> TopicPartition:
        topic, _, number = place.rpartition("/")
        return TopicPartition(topic, int(number), self.next[place])

    def _tell(self, error: KafkaError) -> None:
        self.trouble = error.str()


def _place(part: TopicPartition) -> str:
    return f"{part.topic}/{part.partition}"


def _gone(place: str, offset: int, low: int, high: int) -> str:
    what = (
        f"{low - offset:,} records are gone unread"
        if offset < low
        else "the topic was made anew or lost records"
    )
    return (
        f"kafka:{place}: the next offset is {offset}, and Kafka has {low} up to {high}: {what}. "
        "Publish a state that has what is missing (`fulcrum histories publish`), then follow with "
        "--again, and --since a time before the end of that state"
    )


def _text(error: Exception) -> str:
    given = error.args[0] if error.args else error
    return given.str() if isinstance(given, KafkaError) else str(given)

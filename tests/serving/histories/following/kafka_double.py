"""A stand-in for Kafka and its consumer: topics in memory, with offsets that may be gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition


@dataclass
class Kafka:
    """Records of a cluster: by topic and partition, (time in ms, value) in order."""

    topics: dict[str, list[list[tuple[int, bytes | None]]]]
    cluster: str = "one"
    first: dict[tuple[str, int], int] = field(default_factory=dict)
    is_down: bool = False
    at_once: int = 1000
    configs: list[dict[str, Any]] = field(default_factory=list)
    before_consume: Callable[[Kafka], None] = lambda _: None
    after_times: Callable[[Kafka], None] = lambda _: None

    def ends(self, topic: str, partition: int) -> tuple[int, int]:
        low = self.first.get((topic, partition), 0)
        return low, max(len(self.topics[topic][partition]), low)

    def consumer(self, config: dict[str, Any]) -> Consumer:
        self.configs.append(config)
        return Consumer(self, config)


class Message:
    def __init__(
        self,
        at: TopicPartition,
        value: bytes | None,
        error: KafkaError | None,
        time_ms: int = -1,
    ) -> None:
        self._at, self._value, self._error, self._time_ms = at, value, error, time_ms

    def topic(self):
        return self._at.topic

    def partition(self):
        return self._at.partition

    def offset(self):
        return self._at.offset

    def value(self):
        return self._value

    def timestamp(self):
        return 1, self._time_ms

    def error(self):
        return self._error


class Consumer:
    def __init__(self, kafka: Kafka, config: dict[str, Any]) -> None:
        if "no.such.setting" in config:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "No such property"))
        self._kafka, self._config = kafka, config
        self._next: dict[tuple[str, int], int] = {}

    def list_topics(self, topic, timeout):
        self._check_is_up()
        partitions = self._kafka.topics.get(topic)
        error = None if partitions is not None else KafkaError(3, "Unknown topic or partition")
        numbers = dict.fromkeys(range(len(partitions or [])))
        described = SimpleNamespace(error=error, partitions=numbers)
        return SimpleNamespace(cluster_id=self._kafka.cluster, topics={topic: described})

    def offsets_for_times(self, partitions, timeout):
        found = []
        for part in partitions:
            records = self._kafka.topics[part.topic][part.partition]
            later = [at for at, (time_ms, _) in enumerate(records) if time_ms >= part.offset]
            found.append(TopicPartition(part.topic, part.partition, later[0] if later else -1))
        self._kafka.after_times(self._kafka)
        return found

    def get_watermark_offsets(self, part, timeout=-1.0, cached=False):
        return self._kafka.ends(part.topic, part.partition)

    def assign(self, partitions):
        self._next = {(part.topic, part.partition): part.offset for part in partitions}

    def incremental_assign(self, partitions):
        self._next |= {(part.topic, part.partition): part.offset for part in partitions}

    def poll(self, timeout):
        return None

    def consume(self, number, timeout):
        self._kafka.before_consume(self._kafka)
        messages = []
        for (topic, partition), offset in self._next.items():
            at = TopicPartition(topic, partition, offset)
            low, high = self._kafka.ends(topic, partition)
            if offset < low:
                return [Message(at, None, KafkaError(KafkaError._AUTO_OFFSET_RESET, "gone"))]
            if self._kafka.is_down:
                return [Message(at, None, KafkaError(KafkaError.LEADER_NOT_AVAILABLE, "no leader", retriable=True))]  # fmt: skip
            last = min(high, offset + self._kafka.at_once)
            for position in range(offset, last):
                time_ms, value = self._kafka.topics[topic][partition][position]
                place = TopicPartition(topic, partition, position)
                messages.append(Message(place, value, None, time_ms))
            if last == high:
                at = TopicPartition(topic, partition, high)
                messages.append(Message(at, None, KafkaError(KafkaError._PARTITION_EOF, "end")))
            self._next[topic, partition] = last
        return messages

    def close(self):
        self._next = {}

    def _check_is_up(self):
        if self._kafka.is_down:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "Broker transport failure"))

"""How rejected lines name where they come from, by the numbers that rows carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles

# Rows carry 32 bits.
_MOST_NAMES = 2**31


class TopicPartitions(Sequence[str]):
    """The name of each partition that Kafka's topics may have, such as ``kafka:feedback/3``, by number. None is held.

    Args:
        topics: T names.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def number(self, topic: str, partition: int) -> int:
        """The number of a partition."""
        return partition * len(self._topics) + self._topics.index(topic)

    def __len__(self) -> int:
        return _MOST_NAMES

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            raise TypeError("partitions are named one by one")
        partition, topic = divmod(number, len(self._topics))
        return f"kafka:{self._topics[topic]}/{partition}"


def source_names(settings: IngestSettings, files: InputFiles, source: str | None) -> Sequence[str]:
    """The names of the files of a source, or what names the records of one without files.

    Args:
        settings: the spec's rules.
        files: of all sources.
        source: its name, as in `IngestSettings.sources`.
    """
    described = settings.sources[source]
    if described.kafka is not None:
        return TopicPartitions(described.kafka.topics)
    if described.bigquery is not None:
        # A query has no name but its place in the spec.
        return [f"bigquery:{described.bigquery.table or settings.place_of(source)}"]
    return [file.name for file in files.with_neighbours(source)]

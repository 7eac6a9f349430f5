"""The records of a source in Beam: its files, or chunks of what a connector reads."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles
from pipeline.ingest.sources.record_source import RecordChunk, TopicPartitions, source_names

# Enough that the part of a chunk that goes to each shard is worth an element of its own.
_RECORDS_HELD = 16_384


class ReadLog(beam.PTransform):
    """Turns a pipeline into (number, file), or (number, chunk) for a source without files.

    Args:
        settings: the spec's rules.
        files: the files of all sources.
        log: the name of the source, as in `IngestSettings.sources`.
    """

    def __init__(self, settings: IngestSettings, files: InputFiles, log: str | None) -> None:
        super().__init__()
        self._source = settings.sources[log]
        self._place = settings.place_of(log)
        self._names = source_names(settings, files, log)
        self._files = files.with_neighbours(log)
        self._day = settings.day

    def expand(self, pipeline: beam.pvalue.PBegin) -> beam.PCollection:
        """Dispatch on the type of the source.

        Raises:
            ValueError: a connector lacks what it needs.
        """
        if self._source.bigquery is not None:
            from pipeline.ingest.sources.bigquery import check_bigquery_options, read_from_bigquery

            check_bigquery_options(self._source.bigquery, pipeline.pipeline.options, self._place)
            rows = pipeline | "ReadBigQuery" >> read_from_bigquery(self._source.bigquery)
            return rows | "CollectRows" >> beam.ParDo(_CollectRows(self._names[0], self._day))
        if self._source.kafka is not None:
            from pipeline.ingest.sources.kafka import ReadKafka

            records = pipeline | "ReadKafka" >> ReadKafka(self._source.kafka, self._place)
            return records | "CollectRecords" >> beam.ParDo(
                _CollectKafka(TopicPartitions(self._source.kafka.topics), self._day)
            )
        return (
            pipeline
            | "Files" >> beam.Create(list(enumerate(self._files)))
            | "Spread" >> beam.Reshuffle()
        )


class _Collect(beam.DoFn):
    """Collects single records into (number, chunk) of one table or partition, within a bundle."""

    def __init__(self, day: datetime.date | None) -> None:
        self._day = day

    def start_bundle(self) -> None:
        self._held: dict[int, RecordChunk] = {}

    def _add(
        self, number: int, name: str, offset: int, content: Any
    ) -> Iterator[tuple[int, RecordChunk]]:
        held = self._held.setdefault(number, RecordChunk(name, [], [], self._day))
        held.offsets.append(offset)
        held.contents.append(content)
        if len(held.offsets) >= _RECORDS_HELD:
            yield number, self._held.pop(number)

    def finish_bundle(self) -> Iterator[Any]:
        for element in self._held.items():
            yield GlobalWindows.windowed_value(element)


class _CollectRows(_Collect):
    """Collects rows of BigQuery."""

    def __init__(self, name: str, day: datetime.date | None) -> None:
        super().__init__(day)
        self._name = name

    def process(self, row: dict[str, Any]) -> Iterator[tuple[int, RecordChunk]]:
        return self._add(0, self._name, 0, row)


class _CollectKafka(_Collect):
    """Collects records of Kafka."""

    def __init__(self, partitions: TopicPartitions, day: datetime.date | None) -> None:
        super().__init__(day)
        self._partitions = partitions

    def process(self, record: Any) -> Iterator[tuple[int, RecordChunk]]:
        number = self._partitions.number(record.topic, record.partition)
        return self._add(number, self._partitions[number], record.offset, record.value)

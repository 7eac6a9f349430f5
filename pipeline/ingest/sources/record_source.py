"""Sources of records: files, chunks that a connector hands over, and their names."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, overload

from feature_spec.logs.source import Source
from pipeline.ingest.accounting.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError
from pipeline.ingest.formats.csv_records import CsvBatch
from pipeline.ingest.formats.encodings import utf8_content
from pipeline.ingest.formats.file_content import LineBatch, UnreadableError
from pipeline.ingest.formats.record_batch import RecordBatch
from pipeline.ingest.formats.text_formats import csv_row_batches, json_batches
from pipeline.ingest.formats.typed_formats import typed_batches
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles

# As many as there are lines in a batch of a file.
_BATCH_RECORDS = 1 << 10
# Rows carry the number of their source in 32 bits.
_MOST_NAMES = 2**31


class RecordSource(Protocol):
    """A file of a log (`LogFile`), or records of a table or topic (`RecordChunk`).

    Attributes:
        name: the name that rejected lines give for their source.
        day: the day that the records are stored under; None where all days are ingested.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def day(self) -> datetime.date | None: ...  # noqa: D102

    def batches(self, source: Source, max_line_bytes: int) -> Iterator[RecordBatch]:
        """Yield every line or record once, as a record or with its problem."""


@dataclasses.dataclass(frozen=True)
class RecordChunk:
    """Some records of a table or of a partition of a topic.

    Attributes:
        name: the name of the table or partition.
        offsets: the offset of each record in Kafka; 0 for rows of BigQuery, which have no order.
        contents: the rows as dicts, or the values of Kafka's records: bytes, or None for a record
            without a value.
        day: the day that is ingested; None for all days.
    """

    name: str
    offsets: list[int]
    contents: list[Any]
    day: datetime.date | None = None

    def batches(self, source: Source, max_line_bytes: int) -> Iterator[RecordBatch]:
        """Yield every record once, as a record or with its problem."""
        # A side table without rows has a batch without rows.
        for start in range(0, max(len(self.offsets), 1), _BATCH_RECORDS):
            contents = self.contents[start : start + _BATCH_RECORDS]
            if source.bigquery is not None:
                batches = typed_batches([contents])
            elif source.format == "csv":
                lines = _lines(contents, source.encoding, max_line_bytes)
                one = CsvBatch(list(lines.numbers), lines.lines, lines.unusable)
                batches = csv_row_batches([one], source)
            else:
                lines = _lines(contents, source.encoding, max_line_bytes, line_breaks=False)
                batches = json_batches([lines], source.encoding)
            for batch in batches:
                yield _renumbered(batch, self.offsets[start : start + _BATCH_RECORDS])


class TopicPartitions(Sequence[str]):
    """The names of all partitions that Kafka's topics may have, such as ``kafka:feedback/3``.

    The names follow from the numbers, so none is held in memory.

    Args:
        topics: T names.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def number(self, topic: str, partition: int) -> int:
        """Return the number of a partition."""
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
    """Return the names by which rejected lines give their source; rows carry indices into them.

    Args:
        settings: the spec's rules.
        files: the files of all sources.
        source: the name of the log or side table, as in `IngestSettings.sources`.
    """
    described = settings.sources[source]
    if described.kafka is not None:
        return TopicPartitions(described.kafka.topics)
    if described.bigquery is not None:
        # A query has no name but its place in the spec.
        return [f"bigquery:{described.bigquery.table or settings.place_of(source)}"]
    return [file.name for file in files.with_neighbours(source)]


def _lines(
    values: list[bytes | None], encoding: str, max_line_bytes: int, *, line_breaks: bool = True
) -> LineBatch:
    lines = []
    unusable = {}
    for position, value in enumerate(values):
        content = value or b""
        try:
            lines.append(utf8_content(content, encoding).rstrip(b"\r\n"))
        except UnreadableError as error:
            lines.append(content[:RAW_LIMIT_BYTES])
            unusable[position] = UnusableLineError(Reason.WRONG_ENCODING, str(error))
            continue
        line = lines[position]
        if len(line) > max_line_bytes:
            lines[position] = line[:RAW_LIMIT_BYTES]
            unusable[position] = UnusableLineError(
                Reason.LINE_TOO_LONG, f"longer than {max_line_bytes} bytes"
            )
        elif b"\n" in line and not line_breaks:
            unusable[position] = UnusableLineError(
                Reason.MALFORMED, "one line is needed; received several"
            )
    return LineBatch(1, lines, unusable)


def _renumbered(batch: RecordBatch, offsets: list[int]) -> RecordBatch:
    """Replace the line numbers of a batch, which count from 1, by offsets."""
    return batch._replace(
        numbers=[offsets[number - 1] for number in batch.numbers],
        unusable=[(offsets[number - 1], raw, problem) for number, raw, problem in batch.unusable],
    )

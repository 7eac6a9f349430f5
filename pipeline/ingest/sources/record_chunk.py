"""Records that a connector hands over, as the batches that files are read in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from feature_spec.logs.logs import Source
from pipeline.ingest.accounting import counters as counted
from pipeline.ingest.accounting.counters import Tally
from pipeline.ingest.accounting.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError
from pipeline.ingest.formats.lines import LineBatch
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import LogFile
from pipeline.ingest.sources.records import RecordBatch, read_batches, text_batches, typed_batches

# As many as there are lines in a batch of a file.
_BATCH_RECORDS = 1 << 10


@dataclasses.dataclass(frozen=True)
class Received:
    """Some records of a table or of a partition of a topic.

    Attributes:
        name: of the table or partition, as rejected lines name it.
        offsets: Kafka's own offset of each record; 0 for rows of BigQuery, which have no order and
            no number.
        contents: the rows as dicts, or the values of Kafka's records: bytes, or None for a record
            without a value.
    """

    name: str
    offsets: list[int]
    contents: list[Any]


def batches_of(
    lines: LogFile | Received, source: Source, max_line_bytes: int
) -> Iterator[RecordBatch]:
    """Yields every line of a file, or every record received, once: as a record or with its problem."""
    if isinstance(lines, LogFile):
        yield from read_batches(lines, source, max_line_bytes)
        return
    # A side table without rows has a batch without rows.
    for start in range(0, max(len(lines.offsets), 1), _BATCH_RECORDS):
        contents = lines.contents[start : start + _BATCH_RECORDS]
        if source.bigquery is not None:
            batches = typed_batches([contents])
        else:
            batches = text_batches(iter([_lines(contents, max_line_bytes)]), source)
        for batch in batches:
            yield _renumbered(batch, lines.offsets[start : start + _BATCH_RECORDS])


def count_columns(
    tally: Tally, batch: RecordBatch, settings: IngestSettings, source: str | None
) -> None:
    """Notes which columns that the spec names are there, of a source that nobody could look into beforehand."""
    described = settings.sources[source]
    if described.connector is not None and described.columns is None:
        records = batch.rows.records()
        for column in settings.columns_of(source):
            if any(column in record for record in records):
                tally[counted.COLUMN, settings.place_of(source), column] += 1


def _lines(values: list[bytes | None], max_line_bytes: int) -> LineBatch:
    lines = [(value or b"").rstrip(b"\r\n") for value in values]
    unusable = {}
    for position, line in enumerate(lines):
        if len(line) > max_line_bytes:
            lines[position] = line[:RAW_LIMIT_BYTES]
            unusable[position] = UnusableLineError(
                Reason.LINE_TOO_LONG, f"longer than {max_line_bytes} bytes"
            )
        elif b"\n" in line:
            unusable[position] = UnusableLineError(
                Reason.MALFORMED, "one line is needed; received several"
            )
    return LineBatch(1, lines, unusable)


def _renumbered(batch: RecordBatch, offsets: list[int]) -> RecordBatch:
    """A batch of lines from 1 with the offsets that they have."""
    return batch._replace(
        numbers=[offsets[number - 1] for number in batch.numbers],
        unusable=[(offsets[number - 1], raw, problem) for number, raw, problem in batch.unusable],
    )

"""The formats that logs may have, each with its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from feature_spec.logs.source import Source
from pipeline.ingest.formats.avro_files import avro_columns, avro_rows
from pipeline.ingest.formats.file_content import content_chunks, line_batches
from pipeline.ingest.formats.record_batch import RecordBatch
from pipeline.ingest.formats.text_formats import csv_columns, text_batches
from pipeline.ingest.formats.tfrecords import example_rows
from pipeline.ingest.formats.typed_formats import (
    parquet_batches,
    parquet_columns,
    typed_batches,
)


class StoredFile(NamedTuple):
    """An open file of a log, and the way to read it.

    Attributes:
        content: the stored bytes.
        name: the name of the file, whose ending tells its compression.
        source: the source in the spec that the file belongs to.
        max_line_bytes: the longest line that is read.
    """

    content: BinaryIO
    name: str
    source: Source
    max_line_bytes: int


class Reader(NamedTuple):
    """The functions that read one format.

    Attributes:
        batches: yields every line or row of a file once, as a record or with its problem.
        columns: returns the column names of a file, and raises OSError or UnusableLineError where
            it cannot; None for formats whose records name their columns.
    """

    batches: Callable[[StoredFile], Iterator[RecordBatch]]
    columns: Callable[[StoredFile], list[str]] | None = None


def _text(file: StoredFile) -> Iterator[RecordBatch]:
    chunks = content_chunks(file.content, file.name)
    return text_batches(line_batches(chunks, file.max_line_bytes), file.source)


def _csv_columns(file: StoredFile) -> list[str]:
    chunks = content_chunks(file.content, file.name)
    return csv_columns(line_batches(chunks, file.max_line_bytes), file.source.delimiter)


READERS = {
    "jsonl": Reader(_text),
    "csv": Reader(_text, _csv_columns),
    "parquet": Reader(
        lambda file: parquet_batches(file.content),
        lambda file: parquet_columns(file.content),
    ),
    "avro": Reader(
        lambda file: typed_batches(avro_rows(file.content)),
        lambda file: avro_columns(file.content),
    ),
    "tfrecord": Reader(
        lambda file: typed_batches(example_rows(content_chunks(file.content, file.name)))
    ),
}

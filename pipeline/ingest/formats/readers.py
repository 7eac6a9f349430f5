"""The formats that logs may have, each with its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from feature_spec.logs.source import Source
from pipeline.ingest.formats.avro_files import avro_columns, avro_rows
from pipeline.ingest.formats.csv_records import CsvBatch, csv_batches
from pipeline.ingest.formats.encodings import utf8_chunks
from pipeline.ingest.formats.file_content import content_chunks, line_batches
from pipeline.ingest.formats.parquet_files import parquet_columns
from pipeline.ingest.formats.record_batch import RecordBatch
from pipeline.ingest.formats.text_formats import csv_columns, csv_row_batches, json_batches
from pipeline.ingest.formats.tfrecords import example_rows
from pipeline.ingest.formats.typed_formats import (
    parquet_batches,
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


def _text_chunks(file: StoredFile) -> Iterator[bytes]:
    return utf8_chunks(content_chunks(file.content, file.name), file.source.encoding)


def _json(file: StoredFile) -> Iterator[RecordBatch]:
    return json_batches(line_batches(_text_chunks(file), file.max_line_bytes), file.source.encoding)


def _csv_lines(file: StoredFile) -> Iterator[CsvBatch]:
    return csv_batches(_text_chunks(file), file.source.delimiter, file.max_line_bytes)


READERS = {
    "jsonl": Reader(_json),
    "csv": Reader(
        lambda file: csv_row_batches(_csv_lines(file), file.source),
        lambda file: csv_columns(_csv_lines(file), file.source),
    ),
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

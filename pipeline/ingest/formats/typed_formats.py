"""Formats whose values have types: Parquet, Avro, and the rows of BigQuery.

Values become what JSON would hold, so that all formats are read alike from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import (
    ColumnRows,
    Record,
    RecordBatch,
    RecordRows,
    Rows,
    exact_json,
    unreadable_batch,
)
from pipeline.ingest.formats.typed_values import column_values, plain

_BATCH_ROWS = 4096


def typed_batches(batches: Iterable[list[Record]]) -> Iterator[RecordBatch]:
    """Yield rows with typed values as records (`typed_values.plain`).

    Where `batches` raises UnreadableError, the last batch says so.
    """
    return _numbered(
        RecordRows([{column: plain(value) for column, value in row.items()} for row in rows])
        for rows in batches
    )


def parquet_batches(file: BinaryIO) -> Iterator[RecordBatch]:
    """Yield the rows of a Parquet file as records, thousands at a time.

    A damaged file gives everything before the damage, and says so.
    """
    return _numbered(_parquet_rows(file))


def _parquet_rows(file: BinaryIO) -> Iterator[Rows]:
    try:
        # Arrow's nanoseconds would overflow silently for years beyond 2262.
        stored = pq.ParquetFile(file, coerce_int96_timestamp_unit="us")
        for batch in stored.iter_batches(batch_size=_BATCH_ROWS):
            columns = map(column_values, batch.columns)
            yield ColumnRows(batch.schema.names, columns, batch.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"not readable as Parquet: {error}") from error


def parquet_columns(file: BinaryIO) -> list[str]:
    """Return the column names of a Parquet file.

    Raises:
        UnreadableError: the file has no schema.
    """
    try:
        columns: list[str] = pq.ParquetFile(file).schema_arrow.names
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"not readable as Parquet: {error}") from error
    return columns


def _numbered(batches: Iterable[Rows]) -> Iterator[RecordBatch]:
    number = 1
    try:
        for rows in batches:
            raws = list(map(_raw, rows.records()))
            yield RecordBatch(list(range(number, number + len(raws))), raws, rows, [])
            number += len(raws)
    except UnreadableError as error:
        yield unreadable_batch(number, f"{error}; the rest of the file is lost")


def _raw(record: dict[str, Any]) -> bytes:
    try:
        return exact_json(record)
    except RecursionError:  # the digest of such a row rejects it
        return b""

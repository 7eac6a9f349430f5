"""Parquet files, whose columns are read one by one where they cannot be read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import Reason
from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import ColumnRows, Rows
from pipeline.ingest.formats.typed_values import column_values

_BATCH_ROWS = 4096


def parquet_rows(file: BinaryIO, groups: Sequence[int] | None = None) -> Iterator[Rows]:
    """Yield the rows of a Parquet file, or of some of its row groups, thousands at a time.

    A column that cannot be read costs the rows of its row group where somebody reads it.

    Raises:
        UnreadableError: no column can be read any further. Everything before that was yielded.
    """
    done = 0
    try:
        # Arrow's nanoseconds would overflow silently for years beyond 2262.
        stored = pq.ParquetFile(file, coerce_int96_timestamp_unit="us")
        try:
            for batch in stored.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups):
                yield _rows(batch)
                done += batch.num_rows
        except (OSError, pa.ArrowException):
            yield from _by_column(stored, done, groups)
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


def _rows(batch: pa.RecordBatch) -> Rows:
    return ColumnRows(batch.schema.names, map(column_values, batch.columns), batch.num_rows)


def _by_column(stored: pq.ParquetFile, done: int, groups: Sequence[int] | None) -> Iterator[Rows]:
    """Yield the rows behind the first `done`, from columns read by themselves."""
    first = 0
    for group in groups if groups is not None else range(stored.num_row_groups):
        length = stored.metadata.row_group(group).num_rows
        skipped = min(max(done - first, 0), length)
        first += length
        if skipped == length:
            continue
        columns: dict[str, Any] = {}
        problem: Exception | None = None
        for name in dict.fromkeys(stored.schema_arrow.names):
            try:
                columns[name] = stored.read_row_group(group, columns=[name])
            except (OSError, pa.ArrowException) as error:
                columns[name], problem = error, error
        if problem is not None and all(isinstance(one, Exception) for one in columns.values()):
            raise problem
        for start in range(skipped, length, _BATCH_ROWS):
            yield _slice(columns, start, min(_BATCH_ROWS, length - start))


def _slice(columns: dict[str, Any], start: int, length: int) -> Rows:
    names, values = [], []
    for name, table in columns.items():
        if isinstance(table, Exception):
            names.append(name)
            values.append([UnusableValue(Reason.MALFORMED, f"cannot be read: {table}")] * length)
            continue
        for column in table.columns:  # several of one name
            names.append(name)
            values.append(column_values(column.slice(start, length).combine_chunks()))
    return ColumnRows(names, values, length)

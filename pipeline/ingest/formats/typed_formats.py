"""Formats whose values have types: Parquet, Avro, and the rows of BigQuery.

Values become what JSON would hold, so that all formats are read alike from there on.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import fastavro
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import Record, RecordBatch, RecordRows, unreadable_batch

_BATCH_ROWS = 4096


def typed_batches(batches: Iterable[list[Record]]) -> Iterator[RecordBatch]:
    """Yield rows with typed values as records.

    Times become ISO 8601 text, decimal numbers become floats, and bytes become text; a row with
    bytes that are not UTF-8 is unusable. Where `batches` raises UnreadableError, the last batch
    says so.
    """
    number = 1
    try:
        for rows in batches:
            plain = [(at, *_plain_row(row)) for at, row in enumerate(rows, start=number)]
            whole = [
                (at, raw, row) for at, raw, row in plain if not isinstance(row, UnusableLineError)
            ]
            others = [
                (at, raw, row) for at, raw, row in plain if isinstance(row, UnusableLineError)
            ]
            yield RecordBatch(
                [at for at, _, _ in whole],
                [raw for _, raw, _ in whole],
                RecordRows([row for _, _, row in whole]),
                others,
            )
            number += len(plain)
    except UnreadableError as error:
        yield unreadable_batch(number, f"{error}; the rest of the file is lost")


def parquet_rows(file: BinaryIO) -> Iterator[list[Record]]:
    """Yield the rows of a Parquet file, thousands at a time.

    Raises:
        UnreadableError: the file is damaged. Everything before that was yielded.
    """
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS):
            yield batch.to_pylist()
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


def avro_rows(file: BinaryIO) -> Iterator[list[Record]]:
    """Yield the rows of an Avro file, thousands at a time.

    Raises:
        UnreadableError: the file is damaged. Everything before that was yielded.
    """
    try:
        reader: Any = fastavro.reader(file)
        while rows := list(itertools.islice(reader, _BATCH_ROWS)):
            yield rows
    except Exception as error:  # fastavro lets through whatever its codecs raise
        raise UnreadableError(f"not readable as Avro: {error}") from error


def avro_columns(file: BinaryIO) -> list[str]:
    """Return the column names of an Avro file.

    Raises:
        UnreadableError: the file has no schema of records.
    """
    try:
        schema: Any = fastavro.reader(file).writer_schema
        return [field["name"] for field in schema["fields"]]
    except (ValueError, LookupError, EOFError, OSError, TypeError) as error:
        raise UnreadableError(f"not readable as Avro: {error}") from error


def _plain_row(row: Record) -> tuple[bytes, Record | UnusableLineError]:
    """Return a row as JSON, and its record or the problem with it."""
    try:
        record = {column: _plain(value) for column, value in row.items()}
        return _as_json(record), record
    except UnicodeDecodeError as error:
        problem = UnusableLineError(Reason.WRONG_ENCODING, f"not UTF-8: {error}")
        return repr(row).encode(), problem


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {name: _plain(element) for name, element in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date, too
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else value


def _as_json(record: Record) -> bytes:
    try:
        return orjson.dumps(record, default=str)
    except TypeError:
        return json.dumps(record, default=str).encode()

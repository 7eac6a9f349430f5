"""Numbered records of a Parquet file."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.parsing import Record
from pipeline.ingest.rejection import Reason, UnusableLineError

_BATCH_ROWS = 4096


def parquet_records(file: BinaryIO) -> Iterator[tuple[int, bytes, Record | UnusableLineError]]:
    """Yields (row number from 1, row as JSON, record); a file that breaks off ends with an unusable row.

    Times become ISO 8601 text, decimal numbers become floats, and bytes become text where they are UTF-8.
    """
    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                try:
                    record = {column: _plain(value) for column, value in row.items()}
                    yield number, json.dumps(record, ensure_ascii=False, default=str).encode(), record
                except UnicodeDecodeError as error:
                    yield number, repr(row).encode(), UnusableLineError(Reason.WRONG_ENCODING, f"not UTF-8: {error}")
    except (OSError, pa.ArrowException) as error:
        detail = f"not readable as Parquet: {error}; the rest of the file is lost"
        yield number + 1, b"", UnusableLineError(Reason.UNREADABLE, detail)


def _plain(value: Any) -> Any:
    """A value as JSON would have it."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, dict):
        return {name: _plain(element) for name, element in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date, too
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else value

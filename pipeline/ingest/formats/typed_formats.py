"""Formats whose values have types: Parquet, Avro, and the rows of BigQuery.

Values become what JSON would hold, so that all formats are read alike from there on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.parquet_files import parquet_rows
from pipeline.ingest.formats.record_batch import (
    Record,
    RecordBatch,
    RecordRows,
    Rows,
    exact_json,
    unreadable_batch,
)
from pipeline.ingest.formats.typed_values import plain


def typed_batches(batches: Iterable[list[Record]]) -> Iterator[RecordBatch]:
    """Yield rows with typed values as records (`typed_values.plain`).

    Where `batches` raises UnreadableError, the last batch says so.
    """
    return _numbered(
        RecordRows([{column: plain(value) for column, value in row.items()} for row in rows])
        for rows in batches
    )


def parquet_batches(file: BinaryIO, groups: Sequence[int] | None = None) -> Iterator[RecordBatch]:
    """Yield the rows of a Parquet file, or of some row groups, as records, thousands at a time.

    A damaged file gives everything before the damage, and says so.
    """
    return _numbered(parquet_rows(file, groups))


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

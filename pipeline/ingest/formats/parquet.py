"""Rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.formats.decompression import UnreadableError
from pipeline.ingest.formats.parsing import Record

_BATCH_ROWS = 4096


def parquet_rows(file: BinaryIO) -> Iterator[list[Record]]:
    """Yields rows, thousands at a time.

    Raises:
        UnreadableError: the file is damaged, after everything before that was yielded.
    """
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS):
            yield batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"not readable as Parquet: {error}") from error

"""Rows of an Avro file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import fastavro

from pipeline.ingest.formats.decompression import UnreadableError
from pipeline.ingest.formats.parsing import Record

_BATCH_ROWS = 4096


def avro_columns(file: BinaryIO) -> list[str]:
    """The names of the columns.

    Raises:
        UnreadableError: the file has no schema of records.
    """
    try:
        schema: Any = fastavro.reader(file).writer_schema
        return [field["name"] for field in schema["fields"]]
    except (ValueError, LookupError, EOFError, OSError, TypeError) as error:
        raise UnreadableError(f"not readable as Avro: {error}") from error


def avro_rows(file: BinaryIO) -> Iterator[list[Record]]:
    """Yields rows, thousands at a time.

    Raises:
        UnreadableError: the file is damaged, after everything before that was yielded.
    """
    try:
        reader: Any = fastavro.reader(file)
        while rows := list(itertools.islice(reader, _BATCH_ROWS)):
            yield rows
    except Exception as error:  # fastavro lets through whatever its codecs raise
        raise UnreadableError(f"not readable as Avro: {error}") from error

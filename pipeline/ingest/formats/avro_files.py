"""Avro files, decoded value by value, so that one value that Python cannot hold spoils no other.

fastavro stops at a date beyond the year 9999. It takes readers of logical types of one's own, so
those of a file are renamed to readers that never raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import fastavro
from fastavro.read import LOGICAL_READERS

from feature_spec.fields.values import narrow_float
from pipeline.ingest.formats.file_content import UnreadableError
from pipeline.ingest.formats.record_batch import Record
from pipeline.ingest.formats.typed_values import beyond_python

_BATCH_ROWS = 4096
_PREFIX = "fulcrum-"


def avro_rows(file: BinaryIO) -> Iterator[list[Record]]:
    """Yield the rows of an Avro file, thousands at a time.

    Raises:
        UnreadableError: the file is damaged. Everything before that was yielded.
    """
    rows: list[Record] = []
    try:
        blocks: Any = fastavro.block_reader(file)
        schema: Any = fastavro.parse_schema(_renamed(blocks.writer_schema), {})
        for block in blocks:
            for _ in range(block.num_records):
                # Bytes that are not UTF-8 become halves of surrogate pairs, which no reader takes.
                row: Any = fastavro.schemaless_reader(
                    block.bytes_, schema, None, handle_unicode_errors="surrogateescape"
                )
                rows.append(row)
                if len(rows) == _BATCH_ROWS:
                    yield rows
                    rows = []
    except Exception as error:  # fastavro lets through whatever its codecs raise
        yield rows
        raise UnreadableError(f"not readable as Avro: {error}") from error
    yield rows


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


def _renamed(schema: Any) -> Any:
    """Return a schema whose logical types, and floats of 32 bits, have readers that never raise."""
    if isinstance(schema, list):
        return [_renamed(branch) for branch in schema]
    if schema == "float":
        return {"type": "float", "logicalType": f"{_PREFIX}float"}
    if not isinstance(schema, dict):
        return schema
    renamed = {key: value for key, value in schema.items() if not key.startswith("__")}
    for key in ("items", "values"):
        if key in renamed:
            renamed[key] = _renamed(renamed[key])
    if "fields" in renamed:
        renamed["fields"] = [
            field | {"type": _renamed(field["type"])} for field in renamed["fields"]
        ]
    elif isinstance(renamed["type"], dict | list):
        renamed["type"] = _renamed(renamed["type"])
    if renamed["type"] == "float":
        renamed["logicalType"] = f"{_PREFIX}float"
    elif f"{renamed['type']}-{renamed.get('logicalType')}" in LOGICAL_READERS:
        renamed["logicalType"] = f"{_PREFIX}{renamed['logicalType']}"
    return renamed


def _never_raising(kind: str, read: Callable[..., Any]) -> Callable[..., Any]:
    def read_or_stand_in(value: Any, writer_schema: Any = None, reader_schema: Any = None) -> Any:
        try:
            return read(value, writer_schema, reader_schema)
        except Exception:  # OverflowError of times, and whatever else a value may cause
            return beyond_python(kind, value)

    return read_or_stand_in


for _name, _read in list(LOGICAL_READERS.items()):
    _base, _logical = _name.split("-", 1)
    LOGICAL_READERS[f"{_base}-{_PREFIX}{_logical}"] = _never_raising(_logical, _read)
LOGICAL_READERS[f"float-{_PREFIX}float"] = lambda value, *_: narrow_float(value, 4)

"""Rows of files that have types, such as Parquet and Avro, with values as JSON would have them."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Iterable
from typing import Any

import orjson

from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.formats.parsing import Record


def plain_rows(rows: Iterable[Record]) -> list[tuple[bytes, Record | UnusableLineError]]:
    """Gives (row as JSON, record) for each row.

    Times become ISO 8601 text, decimal numbers become floats, and bytes become text; a row with
    bytes that are not UTF-8 is unusable.
    """
    plain: list[tuple[bytes, Record | UnusableLineError]] = []
    for row in rows:
        try:
            record = {column: _plain(value) for column, value in row.items()}
            plain.append((_as_json(record), record))
        except UnicodeDecodeError as error:
            plain.append(
                (
                    repr(row).encode(),
                    UnusableLineError(Reason.WRONG_ENCODING, f"not UTF-8: {error}"),
                )
            )
    return plain


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

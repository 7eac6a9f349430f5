"""Values with types, as Parquet, Avro, TFRecords and BigQuery have them, as JSON would hold them.

Nothing raises: a value that Python cannot hold spoils its row only if somebody reads it.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from feature_spec.fields.values import narrow_float
from feature_spec.logs.log_values import UnusableValue
from pipeline.ingest.accounting.rejection import Reason

_TEXTS = (pa.StringScalar, pa.LargeStringScalar, pa.StringViewScalar)


def plain(value: Any) -> Any:
    """Return a value as JSON would hold it.

    Times become ISO 8601 text. Decimal numbers become integers where they are whole, else floats.
    Bytes become text, and bytes that are not UTF-8 become halves of surrogate pairs, which no
    reader takes.
    """
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {name: plain(element) for name, element in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date, too
        return value.isoformat()
    convert = _CONVERSIONS.get(type(value))
    return convert(value) if convert is not None else value


def _number(value: decimal.Decimal) -> int | float:
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole else float(value)


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {decimal.Decimal: _number, uuid.UUID: str}


def beyond_python(kind: object, value: object) -> UnusableValue:
    """Return the stand-in of a value that Python cannot hold."""
    return UnusableValue(Reason.WRONG_TYPE, f"{kind} {value} is beyond what can be read")


def column_values(column: pa.Array) -> list[Any]:
    """Return the values of an Arrow column."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    try:
        values: list[Any] = column.to_pylist()
        if pa.types.is_float16(kind) or pa.types.is_float32(kind):
            return _narrow(column, values)
        if pa.types.is_primitive(kind) and not pa.types.is_temporal(kind):
            return values
        return [plain(value) for value in values]
    except Exception:  # one value that Python cannot hold; Arrow and time zones raise anything
        return [_scalar_value(scalar) for scalar in column]


def _narrow(column: pa.Array, values: list[Any]) -> list[Any]:
    size_bytes = column.type.bit_width // 8
    numbers = column.to_numpy(zero_copy_only=False)
    for position in np.flatnonzero(np.abs(np.nan_to_num(numbers)) >= 2**11).tolist():
        if values[position] is not None:
            values[position] = narrow_float(values[position], size_bytes)
    return values


def _scalar_value(scalar: Any) -> Any:
    try:
        return plain(scalar.as_py())
    except Exception:  # as above
        if isinstance(scalar, _TEXTS):
            return plain(scalar.as_buffer().to_pybytes())
        if isinstance(scalar, pa.ListScalar):
            return column_values(scalar.values)
        if isinstance(scalar, pa.StructScalar):
            return {
                scalar.type.field(at).name: _scalar_value(scalar[at]) for at in range(len(scalar))
            }
        return beyond_python(scalar.type, _scalar_text(scalar))


def _scalar_text(scalar: Any) -> str:
    try:
        return str(scalar.cast(pa.string()).as_py())
    except Exception:  # Arrow has no text for some types
        return str(getattr(scalar, "value", ""))

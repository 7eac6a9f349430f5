"""Lines that cannot be used, with their reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pyarrow as pa

from feature_spec.logs.log_values import UnusableLineError
from feature_spec.logs.logs import RejectionReason as Reason

RAW_LIMIT_BYTES = 500
# One row a rejected line; see `RejectedLine`.
REJECTED_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.string()),
    ]
)

__all__ = [
    "RAW_LIMIT_BYTES",
    "REJECTED_SCHEMA",
    "Reason",
    "RejectedLine",
    "UnusableLineError",
    "rejected_table",
]


@dataclasses.dataclass(frozen=True)
class RejectedLine:
    """A line that is no example.

    Attributes:
        source: the file, relative to the logs folder; or the table, or the partition of a topic.
        offset: the number of the line (in Parquet, of the row) from 1; the offset in Kafka; 0 in
            BigQuery.
        reason: the reason of the rejection.
        detail: the value received, and the valid ones.
        raw: the first bytes of the line.
    """

    source: str
    offset: int
    reason: Reason
    detail: str
    raw: bytes


def rejected_table(lines: Iterable[RejectedLine]) -> pa.Table:
    """Return lines as rows of `REJECTED_SCHEMA`; escape what is not UTF-8, and cut long texts."""
    # A detail may quote half of a surrogate pair.
    rows = [
        {
            "source": line.source,
            "offset": line.offset,
            "reason": str(line.reason),
            "detail": line.detail[:RAW_LIMIT_BYTES]
            .encode("utf-8", errors="backslashreplace")
            .decode(),
            "raw": line.raw[:RAW_LIMIT_BYTES].decode("utf-8", errors="backslashreplace"),
        }
        for line in lines
    ]
    return pa.Table.from_pylist(rows, REJECTED_SCHEMA)

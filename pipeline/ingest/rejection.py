"""Lines that cannot be used: why, and how they are reported."""

from __future__ import annotations

import dataclasses
import json
from enum import StrEnum

RAW_LIMIT_BYTES = 500


class Reason(StrEnum):
    """Why a line is rejected. Each line has one reason: the first that applies."""

    UNREADABLE = "unreadable"  # the file ends or breaks here; what follows is lost
    EMPTY_LINE = "empty_line"
    LINE_TOO_LONG = "line_too_long"
    WRONG_ENCODING = "wrong_encoding"  # not UTF-8
    MALFORMED = "malformed"  # not a JSON object, or a wrong number of CSV values
    MISSING_KEY = "missing_key"
    BAD_EVENT_TIME = "bad_event_time"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"  # NaN or infinite
    OUT_OF_RANGE = "out_of_range"
    DUPLICATE = "duplicate"
    STRAY_EVENT_TIME = "stray_event_time"  # later than the last day of the log


class UnusableLineError(ValueError):
    """A line, or row, that cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[UnusableLineError], tuple[Reason, str]]:
        return UnusableLineError, (self.reason, self.detail)


@dataclasses.dataclass(frozen=True)
class RejectedLine:
    """An entry of the rejected file.

    Attributes:
        source: the file, relative to the logs folder.
        line: number of the line (of the row, in Parquet), from 1.
        reason: why.
        detail: what was received and what is valid.
        raw: the first bytes of the line.
    """

    source: str
    line: int
    reason: Reason
    detail: str
    raw: bytes

    def to_json(self) -> str:
        """One JSON line. What is not UTF-8 appears as escapes; what is long is cut."""
        # A detail may quote half of a surrogate pair.
        detail = self.detail[:RAW_LIMIT_BYTES].encode("utf-8", errors="backslashreplace").decode()
        raw = self.raw[:RAW_LIMIT_BYTES].decode("utf-8", errors="backslashreplace")
        entry = {"source": self.source, "line": self.line, "reason": self.reason, "detail": detail, "raw": raw}
        return json.dumps(entry, ensure_ascii=False)

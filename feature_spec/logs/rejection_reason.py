"""Why a line of a log is rejected."""

from __future__ import annotations

from enum import StrEnum


class RejectionReason(StrEnum):
    """Each rejected line has one reason: the first that applies."""

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
    ORPHAN_ACTION = "orphan_action"  # without an impression before it
    LATE_ACTION = "late_action"  # beyond the attribution window

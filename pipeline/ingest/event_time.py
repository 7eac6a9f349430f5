"""When an exposure happened, and the day that was where the log's days begin."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from feature_spec.logs import EventTime
from feature_spec.values import finite_number
from pipeline.ingest.rejection import Reason, UnusableLineError

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def event_time_reader(event_time: EventTime) -> Callable[[Any], tuple[int, int]]:
    """Reads event times.

    Returns:
        a function from a column's value to (microseconds since the Unix epoch, day as `datetime.date.toordinal` counts, in the
        spec's time zone). It raises UnusableLineError for a value that is no such time.
    """
    zone = ZoneInfo(event_time.timezone)

    def read(value: Any) -> tuple[int, int]:
        try:
            if event_time.unit == "iso8601":
                moment = _localised(datetime.datetime.fromisoformat(value), zone)
            elif event_time.unit == "yyyymmdd":
                moment = _localised(_day(value), zone)
            else:
                microseconds = _microseconds(value, _MICROSECONDS[event_time.unit])
                return microseconds, (_EPOCH + datetime.timedelta(microseconds=microseconds)).astimezone(zone).toordinal()
            return (moment - _EPOCH) // datetime.timedelta(microseconds=1), moment.astimezone(zone).toordinal()
        except (ValueError, TypeError, OverflowError) as error:
            detail = f"{event_time.column}: a time in {event_time.unit} is needed; received {value!r}"
            raise UnusableLineError(Reason.BAD_EVENT_TIME, detail) from error

    return read


def _localised(moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _day(value: Any) -> datetime.datetime:
    text = str(value)
    if len(text) != 8 or not text.isdecimal():
        raise ValueError(text)
    return datetime.datetime(int(text[:4]), int(text[4:6]), int(text[6:]))


def _microseconds(value: Any, unit: int) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is no time")
    # Whole numbers are not taken through a float, which would round microseconds.
    whole = isinstance(value, int) or (isinstance(value, str) and value.lstrip("-").isdecimal())
    return round((int(value) if whole else finite_number(value)) * unit)

"""When exposures happened, and the day that was where the log's days begin."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from feature_spec.fields.values import finite_number
from feature_spec.logs.logs import EventTime
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.labelling.column_readers import ValueReader
from pipeline.ingest.sources.rows import Problems

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
# Years that `datetime` knows in every zone, with room to spare.
_FIRST_US, _LAST_US = -62_000_000_000_000_000, 253_000_000_000_000_000


class EventTimeReader:
    """Reads a column of event times.

    Args:
        event_time: unit and time zone.
        missing: texts that stand for a missing value.
    """

    def __init__(self, event_time: EventTime, missing: frozenset[str]) -> None:
        self._missing_detail = f"{event_time.column}: missing"
        self._missing = missing | {""}
        self._unit = _MICROSECONDS.get(event_time.unit)
        self._zone = ZoneInfo(event_time.timezone)
        self._read_one = event_time_reader(event_time)
        self._read = ValueReader(self._read_or_refuse)

    def __call__(self, values: list[Any], problems: Problems) -> tuple[np.ndarray, np.ndarray]:
        """Microseconds since the Unix epoch and days as `datetime.date.toordinal` counts, both int64; 0 where unusable."""
        unit = self._unit
        if unit is not None and set(map(type, values)) == {int}:
            least, most = min(values) * unit, max(values) * unit
            if least >= _FIRST_US and most <= _LAST_US:
                numbers = np.array(values, np.int64) * unit
                return numbers, self._days(numbers)
        times = [time or (0, 0) for time in self._read(values, problems)]
        both = np.array(times, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _read_or_refuse(self, value: Any) -> tuple[int, int]:
        if value is None or (isinstance(value, str) and value in self._missing):
            raise UnusableLineError(Reason.MISSING_KEY, self._missing_detail)
        return self._read_one(value)

    def _days(self, times_us: np.ndarray) -> np.ndarray:
        """Days of int64 times: an hour in which the zone's offset does not change at once, others time by time."""
        hours, hour_of = np.unique(times_us // _HOUR_US, return_inverse=True)
        offsets = np.array([self._offset_us(hour * _HOUR_US) for hour in hours.tolist()], np.int64)
        ends = np.array(
            [self._offset_us((hour + 1) * _HOUR_US - 1) for hour in hours.tolist()], np.int64
        )
        days = (times_us + offsets[hour_of]) // _DAY_US
        for position in np.flatnonzero((offsets != ends)[hour_of]).tolist():
            time_us = int(times_us[position])
            days[position] = (time_us + self._offset_us(time_us)) // _DAY_US
        return days + _EPOCH_DAY

    def _offset_us(self, time_us: int) -> int:
        moment = (_EPOCH + datetime.timedelta(microseconds=time_us)).astimezone(self._zone)
        offset = moment.utcoffset()
        return offset // datetime.timedelta(microseconds=1) if offset is not None else 0


def event_time_reader(event_time: EventTime) -> Callable[[Any], tuple[int, int]]:
    """Reads event times.

    Returns:
        a function from a column's value to (microseconds since the Unix epoch, day as
        `datetime.date.toordinal` counts, in the spec's time zone). It raises UnusableLineError for
        a value that is no such time.
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
                return microseconds, (
                    _EPOCH + datetime.timedelta(microseconds=microseconds)
                ).astimezone(zone).toordinal()
            return (moment - _EPOCH) // datetime.timedelta(microseconds=1), moment.astimezone(
                zone
            ).toordinal()
        except (ValueError, TypeError, OverflowError) as error:
            detail = (
                f"{event_time.column}: a time in {event_time.unit} is needed; received {value!r}"
            )
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

"""Event times of a log: microseconds since the Unix epoch, and days in the log's time zone."""

from __future__ import annotations

import contextlib
import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.fields.values import missing_numbers
from feature_spec.logs.event_logs import EventTime
from feature_spec.logs.log_values import (
    MICROSECONDS,
    UnusableLineError,
    lacks_number,
    time_reader,
)
from feature_spec.logs.logs import RejectionReason as Reason
from pipeline.ingest.formats.record_batch import Problems
from pipeline.ingest.labelling.value_readers import ValueReader

_EPOCH = datetime.date(1970, 1, 1)
_DAY_US = 86_400_000_000
# From the year 5, which `datetime` knows in every zone, to the end of 2036: Arrow leaves out the
# rule by which daylight saving time goes on from 2037.
_FIRST_US, _LAST_US = -62_000_000_000_000_000, 2_114_380_799_999_999


def local_times_us(times_us: np.ndarray, timezone: str) -> np.ndarray:
    """Return microseconds since the begin of 1970 on the clocks of a zone, int64 (N,).

    Args:
        times_us: microseconds since the Unix epoch, int64 (N,).
        timezone: the IANA name of the zone.
    """
    if len(times_us) and times_us.min() >= _FIRST_US and times_us.max() <= _LAST_US:
        with contextlib.suppress(pa.ArrowInvalid):  # Arrow knows the zones of the system only
            return _local_us(times_us, pa.timestamp("us", timezone))
    seconds, second_of = np.unique(times_us // MICROSECONDS["s"], return_inverse=True)
    zone, epoch = ZoneInfo(timezone), datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    offsets = [
        (epoch + datetime.timedelta(seconds=second)).astimezone(zone).utcoffset()
        for second in seconds.tolist()
    ]
    offsets_us = [0 if one is None else round(one.total_seconds() * 1e6) for one in offsets]
    return times_us + np.array(offsets_us, np.int64)[second_of]


def _local_us(times_us: np.ndarray, kind: pa.DataType) -> np.ndarray:
    return pc.local_timestamp(pa.array(times_us).cast(kind)).cast(pa.int64()).to_numpy()


class EventTimeReader:
    """Reads a column of event times.

    Args:
        event_time: unit and time zone.
        missing: texts that stand for a missing value.
    """

    def __init__(self, event_time: EventTime, missing: frozenset[str]) -> None:
        self._column = event_time.column
        self._missing = missing
        self._missing_numbers = missing_numbers(missing)
        self._unit = MICROSECONDS.get(event_time.unit)
        self._type = pa.timestamp("us", event_time.timezone)
        self._read_one = time_reader(event_time)
        self._read = ValueReader(self._read_or_refuse)
        try:
            self._days(np.zeros(1, np.int64))
        except pa.ArrowInvalid:  # Arrow knows the zones of the system only
            self._unit = None

    def __call__(self, values: list[Any], problems: Problems) -> tuple[np.ndarray, np.ndarray]:
        """Return times in microseconds since the Unix epoch and days as `date.toordinal` counts.

        Both are int64, and 0 where unusable.
        """
        unit = self._unit
        if (
            unit is not None
            and set(map(type, values)) == {int}
            and self._missing_numbers.isdisjoint(values)
        ):
            least, most = min(values) * unit, max(values) * unit
            if least >= _FIRST_US and most <= _LAST_US:
                times_us = np.array(values, np.int64) * unit
                return times_us, self._days(times_us)
        times = [time or (0, 0) for time in self._read(values, problems)]
        both = np.array(times, np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def _read_or_refuse(self, value: Any) -> tuple[int, int]:
        if isinstance(value, str) and not self._missing_numbers:  # most logs; the way is short
            is_missing = not value or value in self._missing
        else:
            is_missing = lacks_number(self._column, value, self._missing)
        if is_missing:
            raise UnusableLineError(Reason.MISSING_KEY, f"{self._column}: missing")
        return self._read_one(value)

    def _days(self, times_us: np.ndarray) -> np.ndarray:
        return _local_us(times_us, self._type) // _DAY_US + _EPOCH.toordinal()

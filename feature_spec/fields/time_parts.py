"""Parts of the event time that are fields: the same in logs and in requests.

A part is computed from whole hours since the begin of 1970 on the clocks of the spec's time zone,
for one time or for NumPy arrays of them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, Literal
from zoneinfo import ZoneInfo

from feature_spec.strict_model import Problem

TimePart = Literal["hour", "weekday", "hour_of_week"]

_HOUR_S, _HOURS_OF_DAY = 3600, 24
# 1970 began on a Thursday, the day 3 of a week from Monday.
_FIRST_WEEKDAY = 3


def part_of_hours(part: TimePart, hours: Any) -> Any:
    """Return a part of local hours since 1970.

    It is the hour of the day (0 to 23), the day of the week (1, Monday, to 7, Sunday), or the hour
    of the week (0, the first of Monday, to 167).
    """
    if part == "hour":
        return hours % _HOURS_OF_DAY
    weekday = (hours // _HOURS_OF_DAY + _FIRST_WEEKDAY) % 7
    return weekday + 1 if part == "weekday" else weekday * _HOURS_OF_DAY + hours % _HOURS_OF_DAY


def part_text(part: TimePart, at_s: float, timezone: str) -> str:
    """Return a part of a time in seconds since the Unix epoch, as the text of a category."""
    offset = datetime.datetime.fromtimestamp(at_s, ZoneInfo(timezone)).utcoffset()
    local_s = at_s + (offset.total_seconds() if offset is not None else 0.0)
    return str(part_of_hours(part, int(local_s // _HOUR_S)))


def time_part_problems(
    name: str, part: TimePart, unit: str | None, *, is_in_histories: bool
) -> Iterator[Problem]:
    """Find what else in the spec keeps a field from being a part of the event time.

    Args:
        name: the name of the field.
        part: the part.
        unit: the unit of `keys.event_time`; None without one.
        is_in_histories: whether a history reads the field.
    """
    place = ("fields", name)
    if unit is None:
        yield Problem((*place, "from"), "event_time", "needs 'keys.event_time', whose part it is")
    elif unit == "yyyymmdd" and part != "weekday":
        text = "event times of the unit 'yyyymmdd' have no hour"
        yield Problem((*place, "part"), part, text)
    if is_in_histories:
        text = "histories read columns of the log, and a part of the event time is none"
        yield Problem((*place, "from"), "event_time", text)

"""The days around the one that is ingested: events of both sides of midnight may belong together."""

from __future__ import annotations

import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic

from feature_spec.logs.day_pattern import has_day, of_day
from feature_spec.logs.logs import Keys, Logs
from feature_spec.strict_model import StrictModel

_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class NeighbouringDay(StrictModel):
    """A day that the attribution window reaches from the day that is ingested, or from which it reaches that day.

    Attributes:
        day: the day.
        impressions: patterns of its files.
        actions: patterns of its files, of those that have a place for the day.
    """

    # JSON has no dates.
    day: Annotated[datetime.date, pydantic.Field(strict=False)]
    impressions: list[str]
    actions: list[str]


def neighbouring_days(logs: Logs, keys: Keys, day: datetime.date) -> list[NeighbouringDay]:
    """The neighbours of a day, ascending; none without event logs, or where files do not tell the days of both apart.

    Args:
        logs: with places for the day in their patterns.
        keys: say where days begin.
        day: the day that is ingested.
    """
    if logs.actions is None or keys.event_time is None:
        return []
    if logs.shown.connector is not None or (
        logs.actions.connector is not None and logs.actions.has_day
    ):
        # Read once, tables and topics would have to be read again for each neighbour.
        return []
    begin, end = _bounds(day, keys.event_time.timezone)
    window = datetime.timedelta(seconds=logs.actions.window_s)
    zone = ZoneInfo(keys.event_time.timezone)
    first, last = (
        (begin - window).astimezone(zone).date(),
        (end - _MICROSECOND + window).astimezone(zone).date(),
    )
    days = [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        NeighbouringDay(
            day=neighbour,
            impressions=[of_day(pattern, neighbour) for pattern in logs.shown.path],
            actions=[
                of_day(pattern, neighbour) for pattern in logs.actions.path if has_day(pattern)
            ],
        )
        for neighbour in days
        if neighbour != day
    ]


def bounds_us(day: datetime.date, timezone: str) -> tuple[int, int]:
    """When a day begins and when the next one does, in microseconds since the Unix epoch."""
    begin, end = ((moment - _EPOCH) // _MICROSECOND for moment in _bounds(day, timezone))
    return begin, end


def _bounds(day: datetime.date, timezone: str) -> tuple[datetime.datetime, datetime.datetime]:
    # In UTC, since Python adds hours to local times as if no clock were ever changed.
    zone = ZoneInfo(timezone)
    midnights = (
        datetime.datetime.combine(one, datetime.time(), zone)
        for one in (day, day + datetime.timedelta(days=1))
    )
    begin, end = (midnight.astimezone(datetime.UTC) for midnight in midnights)
    return begin, end

"""The days of a log: evaluation days, stray days, and the days around the ingested day."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic

from feature_spec.logs.day_pattern import has_day, of_day
from feature_spec.logs.logs import Keys, Logs
from feature_spec.strict_model import StrictModel

# A day with fewer of the records is a handful of wrong clocks, not a day of the log.
SMALLEST_SHARE_OF_DAY = 0.001
_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True)
class EventDays:
    """The days of a log, as `datetime.date.toordinal` counts.

    Attributes:
        days: the days that hold at least `SMALLEST_SHARE_OF_DAY` of the records, ascending.
        evaluation: the number of last days that judge the model.
    """

    days: tuple[int, ...]
    evaluation: int

    @classmethod
    def of(cls, records: Mapping[int, int], evaluation: int) -> EventDays:
        """Take the days from the number of records a day."""
        least = SMALLEST_SHARE_OF_DAY * sum(records.values())
        return cls(
            days=tuple(sorted(day for day, count in records.items() if count >= least)),
            evaluation=evaluation,
        )

    @property
    def leaves_none_to_train(self) -> bool:
        """True if the log has no day besides the evaluation days."""
        return len(self.days) <= self.evaluation

    def is_evaluation(self, day: int) -> bool:
        """Return whether a day judges the model; days between two of the log count as the later."""
        return bool(self.days) and day >= self.days[-self.evaluation :][0]

    def is_stray(self, day: int) -> bool:
        """Return whether a day is later than the last day of the log."""
        return bool(self.days) and day > self.days[-1]

    def stray_detail(self, day: int) -> str:
        """Describe the problem with a record of a stray day."""
        return f"on {_date(day)}, later than the last day of the log, {_date(self.days[-1])}"


@dataclasses.dataclass(frozen=True)
class SpanDay:
    """The one day that is ingested.

    A record of another day is in the wrong files. If it were used, a model might be trained on the
    day that judges it.

    Attributes:
        day: the day, as `datetime.date.toordinal` counts.
    """

    day: int

    def is_evaluation(self, day: int) -> bool:
        """Return False: which models the day trains, and which it judges, is decided later."""
        del day
        return False

    def is_stray(self, day: int) -> bool:
        """Return whether a day is another day."""
        return day != self.day

    def stray_detail(self, day: int) -> str:
        """Describe the problem with a record of another day."""
        return f"on {_date(day)}, in the logs of {_date(self.day)}"


class NeighbouringDay(StrictModel):
    """A day within the attribution window before or after the ingested day.

    Events on both sides of midnight may belong together.

    Attributes:
        day: the day.
        impressions: the patterns of the day's impressions.
        actions: the patterns of the day's actions, as far as patterns have a place for the day.
    """

    # JSON has no dates.
    day: Annotated[datetime.date, pydantic.Field(strict=False)]
    impressions: list[str]
    actions: list[str]


def neighbouring_days(logs: Logs, keys: Keys, day: datetime.date) -> list[NeighbouringDay]:
    """Return the neighbours of a day, ascending.

    There are none without event logs, or where files do not tell the days of both logs apart.

    Args:
        logs: the logs, with places for the day in their patterns.
        keys: the keys, whose time zone tells when days begin.
        day: the ingested day.
    """
    if logs.actions is None or keys.event_time is None:
        return []
    if logs.shown.connector is not None or (
        logs.actions.connector is not None and logs.actions.has_day
    ):
        # Tables and topics would have to be read again for each neighbour.
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
    """Return the begin of a day and of the next, in microseconds since the Unix epoch."""
    begin, end = ((moment - _EPOCH) // _MICROSECOND for moment in _bounds(day, timezone))
    return begin, end


def _bounds(day: datetime.date, timezone: str) -> tuple[datetime.datetime, datetime.datetime]:
    # In UTC, since arithmetic on local times ignores changes of the clocks.
    zone = ZoneInfo(timezone)
    midnights = (
        datetime.datetime.combine(one, datetime.time(), zone)
        for one in (day, day + datetime.timedelta(days=1))
    )
    begin, end = (midnight.astimezone(datetime.UTC) for midnight in midnights)
    return begin, end


def _date(day: int) -> str:
    return datetime.date.fromordinal(day).isoformat()

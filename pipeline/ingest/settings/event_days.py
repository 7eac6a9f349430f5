"""Which of a log's days judge the model."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

# A day with fewer of the records is no day of the log but a handful of wrong clocks.
SMALLEST_SHARE_OF_DAY = 0.001


@dataclasses.dataclass(frozen=True)
class EventDays:
    """The days of a log, as `datetime.date.toordinal` counts.

    Attributes:
        days: the days that hold at least `SMALLEST_SHARE_OF_DAY` of the records, ascending.
        evaluation: how many of the last of them judge the model.
    """

    days: tuple[int, ...]
    evaluation: int

    @classmethod
    def of(cls, records: Mapping[int, int], evaluation: int) -> EventDays:
        """Takes the days from the number of records a day."""
        least = SMALLEST_SHARE_OF_DAY * sum(records.values())
        return cls(
            days=tuple(sorted(day for day, count in records.items() if count >= least)),
            evaluation=evaluation,
        )

    @property
    def leaves_none_to_train(self) -> bool:
        """Whether the log has no more days than the evaluation takes."""
        return len(self.days) <= self.evaluation

    def is_evaluation(self, day: int) -> bool:
        """Whether records of the day judge the model. A day between the days of the log goes with the later one."""
        return bool(self.days) and day >= self.days[-self.evaluation :][0]

    def is_stray(self, day: int) -> bool:
        """Whether the day is later than the log's last."""
        return bool(self.days) and day > self.days[-1]

    def stray_detail(self, day: int) -> str:
        """What is wrong with a record of a stray day."""
        return f"on {_date(day)}, later than the last day of the log, {_date(self.days[-1])}"


@dataclasses.dataclass(frozen=True)
class SpanDay:
    """The one day that is ingested.

    A record of another day has come into the wrong files: were it used, the day that judges a model
    might have trained it.

    Attributes:
        day: as `datetime.date.toordinal` counts.
    """

    day: int

    def is_evaluation(self, day: int) -> bool:
        """No: which models the day judges, and which it trains, is said later."""
        del day
        return False

    def is_stray(self, day: int) -> bool:
        """Whether it is another day."""
        return day != self.day

    def stray_detail(self, day: int) -> str:
        """What is wrong with a record of another day."""
        return f"on {_date(day)}, in the logs of {_date(self.day)}"


def _date(day: int) -> str:
    return datetime.date.fromordinal(day).isoformat()

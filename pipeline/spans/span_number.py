"""Days as TFX numbers spans."""

from __future__ import annotations

import datetime

_FIRST_DAY = datetime.date(1970, 1, 1)


def span_number(day: datetime.date) -> int:
    """Days since 1970-01-01."""
    return (day - _FIRST_DAY).days


def day_of_span(number: int) -> datetime.date:
    """The day that `span_number` gives this number."""
    return _FIRST_DAY + datetime.timedelta(days=number)

"""Glob patterns with a placeholder for the day.

Examples are ``day={day}/*.jsonl.gz`` and ``{day:%Y/%m/%d}/*.parquet``. A day is written as in
``2022-05-01``, or in the format of `datetime.date.strftime` that follows the colon.
"""

from __future__ import annotations

import datetime
import re
import string

_PLACE = "day"
# A format that distinguishes these days distinguishes all days.
_DIFFERENT_DAYS = [
    datetime.date(*day) for day in ((2001, 1, 1), (2001, 1, 2), (2001, 2, 1), (2002, 1, 1))
]


def has_day(pattern: str) -> bool:
    """Return whether the pattern has a placeholder for the day."""
    return any(place == _PLACE for _, place, _, _ in string.Formatter().parse(pattern))


def of_day(pattern: str, day: datetime.date | None) -> str:
    """Return the pattern of the files of one day, or of all days (None)."""
    parts = []
    for literal, place, form, _ in string.Formatter().parse(pattern):
        parts.append(literal)
        if place is not None:
            parts.append(_any_day(form or "") if day is None else format(day, form or ""))
    return "".join(parts)


def check_day_pattern(pattern: str) -> None:
    """Check that all braces of a pattern are placeholders for the day.

    Raises:
        ValueError: a brace is something else, or two days would share files.
    """
    try:
        places = [part[1:] for part in string.Formatter().parse(pattern) if part[1] is not None]
    except ValueError as error:
        raise ValueError(
            f"{pattern!r}: {error}; braces stand around a day only, as in 'day={{day}}'"
        ) from error
    for place, form, conversion in places:
        if place != _PLACE or conversion is not None:
            raise ValueError(
                f"{pattern!r}: the only thing in braces is 'day', "
                "as in '{day}' or '{day:%Y%m%d}'"
            )
        if len({format(day, form or "") for day in _DIFFERENT_DAYS}) < len(_DIFFERENT_DAYS):
            raise ValueError(
                f"{pattern!r}: {form!r} does not tell all days apart; such as '%Y-%m-%d' does"
            )


def _any_day(form: str) -> str:
    """Return a glob for any day in this format. `*` does not match across folders."""
    return re.sub("(%.)+", "*", form or "%F")

"""When things happened, as a column of the logs tells it."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import field_validator

from feature_spec.strict_model import StrictModel


class EventTime(StrictModel):
    """When an exposure happened.

    Attributes:
        column: the column that holds it: a number since the Unix epoch, or text when `unit` is a
            date unit.
        unit: `s`, `ms` or `us` since the Unix epoch; `iso8601` text; or `yyyymmdd`, a day.
        timezone: IANA name of the zone in which days begin, and of times that do not name one.
    """

    column: str
    unit: Literal["s", "ms", "us", "iso8601", "yyyymmdd"]
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"no such time zone: {name!r}; give an IANA name such as 'Asia/Shanghai'"
            ) from error
        return name

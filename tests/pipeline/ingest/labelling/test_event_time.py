"""Event times become microseconds and days."""

from __future__ import annotations

import datetime
import random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feature_spec.logs.event_logs import EventTime
from feature_spec.logs.log_values import time_reader
from pipeline.ingest.accounting.rejection import Reason, UnusableLineError
from pipeline.ingest.labelling.event_time import EventTimeReader

# 2022-04-24T16:30:00Z, which is half past midnight on the 25th in Shanghai.
MOMENT_S = 1_650_817_800
DAY_24, DAY_25 = (datetime.date(2022, 4, day).toordinal() for day in (24, 25))


def _read(value: Any, unit: str, timezone: str = "UTC") -> tuple[int, int]:
    """One value, which a column of such values must give as well."""
    event_time = EventTime(column="time", unit=unit, timezone=timezone)
    read = time_reader(event_time)(value)
    times, days = EventTimeReader(event_time, frozenset())([value, value], {})
    assert [*zip(times.tolist(), days.tolist(), strict=True)] == [read, read]
    return read


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (MOMENT_S, "s"),
        (float(MOMENT_S), "s"),
        (str(MOMENT_S), "s"),
        (MOMENT_S * 1000, "ms"),
        (str(MOMENT_S * 1000), "ms"),
        (MOMENT_S * 1_000_000, "us"),
        ("2022-04-24T16:30:00Z", "iso8601"),
        ("2022-04-25T00:30:00+08:00", "iso8601"),
        ("2022-04-24 16:30:00", "iso8601"),
    ],
)
def test_one_moment_in_every_unit(value: Any, unit: str) -> None:
    assert _read(value, unit) == (MOMENT_S * 1_000_000, DAY_24)


def test_the_day_begins_in_the_specs_time_zone() -> None:
    assert _read(MOMENT_S, "s", "Asia/Shanghai") == (MOMENT_S * 1_000_000, DAY_25)


def test_a_text_without_a_zone_is_in_the_specs_zone() -> None:
    assert _read("2022-04-25T00:30:00", "iso8601", "Asia/Shanghai") == (
        MOMENT_S * 1_000_000,
        DAY_25,
    )


@pytest.mark.parametrize("value", [20220425, "20220425"])
def test_a_day_begins_at_midnight_of_its_zone(value: Any) -> None:
    assert _read(value, "yyyymmdd", "Asia/Shanghai") == ((MOMENT_S - 1800) * 1_000_000, DAY_25)


def test_microseconds_are_not_rounded_by_a_float() -> None:
    assert _read("9007199254740993", "us")[0] == 9007199254740993


def test_fractions_of_a_second_are_kept() -> None:
    assert _read(0.25, "s")[0] == 250_000


def test_a_time_before_1970_is_valid() -> None:
    assert _read(-1, "s") == (-1_000_000, datetime.date(1969, 12, 31).toordinal())


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("yesterday", "s"),
        (True, "s"),
        (float("nan"), "s"),
        ([1], "s"),
        (MOMENT_S * 1000, "s"),  # milliseconds taken for seconds: the year 54281
        ("2022-13-01", "iso8601"),
        (MOMENT_S, "iso8601"),
        ("2022-04-25", "yyyymmdd"),
        ("20220431", "yyyymmdd"),
        (2022042, "yyyymmdd"),
    ],
)
def test_a_value_that_is_no_time_says_what_is_needed(value: Any, unit: str) -> None:
    with pytest.raises(
        UnusableLineError, match=f"time: a time in {unit} is needed; received"
    ) as raised:
        _read(value, unit)
    assert raised.value.reason == Reason.BAD_EVENT_TIME


ZONES = [
    "UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "America/St_Johns", "Europe/Dublin", "Europe/Berlin",
    "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Etc/GMT+12",
]  # fmt: skip


def _moments(zone: str) -> list[int]:
    """Microseconds of random moments of 1,000 years, and of those around every change of the clocks since 1880."""
    draw = random.Random(zone)
    first, last = (
        int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()) for year in (1500, 2500)
    )
    moments = [draw.randrange(first * 1_000_000, last * 1_000_000) for _ in range(1000)]
    moments += [draw.randrange(1_600_000_000_000_000, 1_900_000_000_000_000) for _ in range(1000)]
    start = datetime.datetime(1880, 1, 1, tzinfo=datetime.UTC)
    local = ZoneInfo(zone)
    day, offset = start, start.astimezone(local).utcoffset()
    while day.year < 2045:
        day += datetime.timedelta(days=7)
        if day.astimezone(local).utcoffset() != offset:
            hours = [day - datetime.timedelta(hours=hour) for hour in range(7 * 24 + 1)]
            offset = day.astimezone(local).utcoffset()
            moments += [
                int(hour.timestamp()) * 1_000_000 - edge for hour in hours for edge in (0, 1)
            ]
    return moments


@pytest.mark.parametrize("zone", ZONES)
def test_the_days_of_a_column_are_those_of_its_moments_in_any_zone_at_any_time(zone: str) -> None:
    event_time = EventTime(column="time", unit="us", timezone=zone)
    read, read_column = time_reader(event_time), EventTimeReader(event_time, frozenset())
    moments = sorted(_moments(zone))
    expected = [read(moment) for moment in moments]
    for start in range(0, len(moments), 500):
        problems: dict[int, UnusableLineError] = {}
        times, days = read_column(moments[start : start + 500], problems)
        assert not problems
        assert [*zip(times.tolist(), days.tolist(), strict=True)] == expected[start : start + 500]


def test_a_zone_that_arrow_does_not_know_is_read_moment_by_moment() -> None:
    assert _read(MOMENT_S, "s", "Factory") == (MOMENT_S * 1_000_000, DAY_24)

"""The place of the day in the paths of logs."""

from __future__ import annotations

import datetime

import pytest

from feature_spec.loading import SpecError, load_spec, parse_spec
from feature_spec.logs.day_pattern import check_day_pattern, has_day, of_day

DAY = datetime.date(2022, 5, 1)


@pytest.mark.parametrize(
    ("pattern", "of_the_day", "of_all"),
    [
        ("day={day}/*.gz", "day=2022-05-01/*.gz", "day=*/*.gz"),
        ("log_{day:%Y%m%d}.csv", "log_20220501.csv", "log_*.csv"),
        # One star a folder: it does not cross folders.
        ("{day:%Y/%m/%d}/*.parquet", "2022/05/01/*.parquet", "*/*/*/*.parquet"),
        ("{day:%d.%m.%Y}/{day}.json", "01.05.2022/2022-05-01.json", "*.*.*/*.json"),
        ("users.json", "users.json", "users.json"),
    ],
)
def test_a_pattern_is_that_of_one_day_or_of_all(pattern: str, of_the_day: str, of_all: str) -> None:
    check_day_pattern(pattern)
    assert of_day(pattern, DAY) == of_the_day
    assert of_day(pattern, None) == of_all


def test_a_pattern_without_a_place_has_no_day() -> None:
    assert has_day("a/{day:%Y%m%d}")
    assert not has_day("a/*")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{date}/*", "the only thing in braces is 'day'"),
        ("{}/*", "the only thing in braces is 'day'"),
        ("{day.year}/*", "the only thing in braces is 'day'"),
        ("{day!r}/*", "the only thing in braces is 'day'"),
        ("{day:%Y%m}/*", "does not tell all days apart"),
        ("{day/*", "braces stand around a day only"),
    ],
)
def test_other_braces_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match="^'") as raised:
        check_day_pattern(pattern)
    assert message in str(raised.value)


def test_a_spec_with_other_braces_is_refused_with_their_place(spec_text: str) -> None:
    with pytest.raises(
        SpecError, match=r"logs\.exposures\.path: '\{date\}/\*': the only thing in braces is 'day'"
    ):
        parse_spec(spec_text.replace('"*.jsonl"', '"{date}/*"'))


def test_the_logs_of_a_day_leave_other_sources_as_they_are() -> None:
    logs = load_spec("short_video").logs.of_day(DAY)
    assert logs.exposures.path == ["day=2022-05-01/*.jsonl.gz"]
    assert logs.tables["users"].path == ["users.jsonl.gz"]


def test_a_side_table_may_have_a_place_for_the_day_too(spec_text: str) -> None:
    logs = parse_spec(spec_text.replace("users.csv", '"users_{day}.csv"')).logs
    assert logs.of_day(DAY).tables["users"].path == ["users_2022-05-01.csv"]
    assert logs.of_day(None).tables["users"].path == ["users_*.csv"]

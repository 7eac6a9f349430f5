"""The last real days judge the model."""

from __future__ import annotations

import pytest

from pipeline.ingest.settings.log_days import EventDays, SpanDay


def test_the_last_days_are_the_evaluation() -> None:
    days = EventDays.of({10: 500, 11: 500, 12: 500}, evaluation=2)
    assert [day for day in (9, 10, 11, 12) if days.is_evaluation(day)] == [11, 12]


@pytest.mark.parametrize(("late", "counts"), [(1, False), (2, True)])
def test_a_day_with_less_than_a_thousandth_of_the_records_is_no_day(
    late: int, counts: bool
) -> None:
    # 1 of 1,501 records is less than a thousandth, 2 of 1,502 are more.
    days = EventDays.of({10: 700, 11: 800, 47_000: late}, evaluation=1)
    assert days.days == ((10, 11, 47_000) if counts else (10, 11))
    assert days.is_stray(47_000) is not counts
    assert days.is_evaluation(11) is not counts


def test_a_thin_day_before_the_last_one_is_not_stray() -> None:
    days = EventDays.of({3: 1, 10: 1000, 11: 1, 12: 1000}, evaluation=1)
    assert days.days == (10, 12)
    assert not any(days.is_stray(day) for day in (3, 10, 11, 12))
    assert [day for day in (3, 10, 11, 12) if days.is_evaluation(day)] == [12]


@pytest.mark.parametrize(("evaluation", "none_left"), [(1, False), (2, True), (3, True)])
def test_a_log_with_no_more_days_than_the_evaluation_leaves_none_to_train(
    evaluation: int, none_left: bool
) -> None:
    assert EventDays.of({1: 10, 2: 10}, evaluation).leaves_none_to_train is none_left


def test_a_log_without_records_has_no_days() -> None:
    days = EventDays.of({}, evaluation=1)
    assert (days.days, days.is_stray(5), days.is_evaluation(5)) == ((), False, False)


def test_the_only_day_of_a_span_judges_nothing_and_every_other_day_is_stray() -> None:
    day = SpanDay(11)
    assert [number for number in (10, 11, 12) if day.is_stray(number)] == [10, 12]
    assert not any(day.is_evaluation(number) for number in (10, 11, 12))

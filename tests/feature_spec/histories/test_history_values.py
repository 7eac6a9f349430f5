"""Keys, sums, ages and cutoffs, worked by hand."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_spec.histories.histories import Histories
from feature_spec.histories.history_values import (
    age_text,
    age_token,
    cutoff_us,
    feedback_token,
    history_key,
    label_sums,
    label_units,
    window_begin_us,
    window_step_s,
)

COUNTS = {"counts": {"user": {"by": ["user_id"]}}}


def test_labels_are_whole_units_and_their_sums_exact_in_any_order():
    labels = np.array([1.0, 0.5, np.nan, 1e300, -1e300])
    assert label_units(labels).tolist() == [65536, 32768, 0, 2**39, -(2**39)]
    assert label_sums(np.array([65536 * 3 + 32768])).tolist() == [3.5]


@given(st.lists(st.lists(st.binary(max_size=3), min_size=2, max_size=2), min_size=2, max_size=2))
def test_different_values_make_different_keys(pair):
    first, second = pair
    assert (history_key(first) == history_key(second)) == (first == second)


@pytest.mark.parametrize(
    ("age_us", "token"),
    [(-1, b"0"), (999_999, b"0"), (1_000_000, b"1"), (3_999_999, b"2"), (86_400_000_000, b"17")],
)
def test_an_age_is_the_number_of_binary_digits_of_its_seconds(age_us, token):
    assert age_token(age_us) == token


def test_feedback_names_the_positive_tasks():
    assert (feedback_token(["click", "like"]), feedback_token([])) == (b"click+like", b"none")


def test_a_cutoff_is_the_last_step_that_lies_known_after_s_before_an_exposure():
    histories = Histories.model_validate({"known_after_s": 1.5, **COUNTS})
    times_us = np.array([9_500_000, 10_000_000, 10_499_999, 10_500_000])
    # Less than 512 s count in steps of a second: 8, 8.5, 8.999999 and 9 s.
    assert cutoff_us(histories, times_us, "UTC").tolist() == [8_000_000] * 3 + [9_000_000]
    histories = Histories.model_validate({"known_after_s": 600, **COUNTS})
    # Steps of 2 s: 401 s.
    assert cutoff_us(histories, np.array([1001_000_000]), "UTC").tolist() == [400_000_000]


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", ["2022-05-04", "2022-03-27", "1969-12-31"])
def test_refreshed_by_day_a_cutoff_is_the_last_midnight(timezone, day):
    histories = Histories.model_validate({"refresh": "day", **COUNTS})
    zone = ZoneInfo(timezone)
    midnight = datetime.datetime.combine(
        datetime.date.fromisoformat(day), datetime.time(), zone
    ).timestamp()
    times = [midnight, midnight + 1, midnight + 22 * 3600]
    times_us = np.array([round(time * 1e6) for time in times])
    assert cutoff_us(histories, times_us, timezone).tolist() == [round(midnight * 1e6)] * 3


def test_a_window_begins_at_a_step_and_is_never_shorter_than_asked():
    assert [window_step_s(window) for window in (1, 300, 86_400, 604_800)] == [1, 4, 1024, 8192]
    assert window_begin_us(np.array([1_000_000_000_000]), 86_400).tolist() == [
        (1_000_000 - 86_400) // 1024 * 1024 * 1_000_000
    ]


@pytest.mark.parametrize(
    ("token", "text"),
    [("0", "0 s"), ("1", "1–2 s"), ("6", "32–64 s"), ("7", "1–2 min"), ("18", "2–3 d"), ("x", "x")],
)
def test_an_age_is_told_as_a_span(token, text):
    assert age_text(token) == text

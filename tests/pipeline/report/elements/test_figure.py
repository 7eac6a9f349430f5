"""Figures: error bars, axes, and bubbles."""

from __future__ import annotations

import pytest

from pipeline.evaluate.evaluation_result import Estimate
from pipeline.report.elements.figure import axis_range, bubble_sizes, bubbles, reach

ESTIMATES = [
    Estimate(value=0.5),
    None,
    Estimate(value=0.7, lower=0.6, upper=1.0),
    Estimate(value=None),
]


def test_an_axis_holds_all_intervals_with_room_at_both_sides() -> None:
    # From 0.5 to 1.0, and 8 % of 0.5 at both sides.
    assert axis_range(ESTIMATES, holds_zero=False) == pytest.approx([0.46, 1.04])
    assert axis_range(ESTIMATES, holds_zero=True) == pytest.approx([-0.08, 1.08])


def test_the_room_of_an_axis_does_not_leave_the_values_that_a_metric_can_have() -> None:
    assert axis_range(ESTIMATES, holds_zero=False, within=(0.0, 1.0)) == pytest.approx([0.46, 1.0])
    assert axis_range([Estimate(value=0.8)], holds_zero=False, within=(0.0, 1.0)) == [0.0, 1.0]


def test_a_single_value_has_room_too() -> None:
    assert axis_range([Estimate(value=0.0)], holds_zero=True) == [-1.0, 1.0]
    assert axis_range([], holds_zero=False) == [-1.0, 1.0]


def test_error_bars_reach_from_the_value_to_the_ends_of_its_interval() -> None:
    bars = reach(ESTIMATES)
    assert bars["arrayminus"] == pytest.approx([0.0, 0.0, 0.1, 0.0])
    assert bars["array"] == pytest.approx([0.0, 0.0, 0.3, 0.0])
    assert bars["visible"]
    assert not reach([Estimate(value=0.5)])["visible"]


VALUES = {
    "click": [Estimate(value=0.01), Estimate(value=0.02, lower=0.01, upper=0.05)],
    "share": [None, Estimate(value=0.0, lower=-0.01, upper=0.01)],
    "watch": [Estimate(value=-0.01), Estimate(value=-0.03, lower=-0.04, upper=-0.02)],
}


def test_the_tasks_that_gain_most_and_least_in_the_last_bubble_are_shown_first() -> None:
    shown = bubbles(
        ["a", "b"], VALUES, sizes=[10.0, 20.0], colours=["red", "blue"], against="the first run"
    )
    assert list(shown.choices) == ["click", "watch", "share"]
    [trace] = shown.picture.figure.data
    assert list(trace.x) == [0.01, 0.02]
    assert list(trace.y) == [-0.01, -0.03]


def test_an_interval_reaches_from_its_value_to_both_ends() -> None:
    shown = bubbles(
        ["a", "b"], VALUES, sizes=[10.0, 20.0], colours=["red", "blue"], against="the first run"
    )
    # 0.02 - 0.01 and 0.05 - 0.02
    assert shown.values["click"] == [
        (0.01, 0.0, 0.0),
        (0.02, pytest.approx(0.01), pytest.approx(0.03)),
    ]
    assert shown.values["share"][0] == (None, 0.0, 0.0)


def test_areas_go_with_the_counts_down_to_what_can_be_seen() -> None:
    # A quarter of the examples has half the diameter of 46; one in 10,000 would have 0.46.
    assert bubble_sizes([10_000, 2_500, 1]) == [46.0, 23.0, 10.0]
    assert bubble_sizes([0]) == [10.0]

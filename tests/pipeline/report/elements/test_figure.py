"""What all figures have in common."""

from __future__ import annotations

import pytest

from pipeline.evaluate.evaluation_result import Estimate
from pipeline.report.elements.figure import axis_range, reach

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


def test_a_single_value_has_room_too() -> None:
    assert axis_range([Estimate(value=0.0)], holds_zero=True) == [-1.0, 1.0]
    assert axis_range([], holds_zero=False) == [-1.0, 1.0]


def test_error_bars_reach_from_the_value_to_the_ends_of_its_interval() -> None:
    bars = reach(ESTIMATES)
    assert bars["arrayminus"] == pytest.approx([0.0, 0.0, 0.1, 0.0])
    assert bars["array"] == pytest.approx([0.0, 0.0, 0.3, 0.0])
    assert bars["visible"]
    assert not reach([Estimate(value=0.5)])["visible"]

"""Intervals inside the range of their metric, and those that do not exist."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from pipeline.evaluate.metrics.jackknife import standard_error
from pipeline.evaluate.metrics.metric_intervals import unsure_value
from pipeline.evaluate.metrics.metric_range import SHARE, SIZE
from pipeline.evaluate.metrics.metric_registry import METRICS


@given(st.floats(1e-9, 1.0 - 1e-9), st.floats(1e-9, 10.0))
def test_the_interval_of_a_share_lies_between_0_and_1_about_its_value(
    value: float, half_width: float
) -> None:
    interval = SHARE.interval(value, half_width)
    assert interval is not None
    assert 0.0 <= interval[0] <= value + 1e-12
    assert value - 1e-12 <= interval[1] <= 1.0


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_the_interval_of_a_size_lies_above_0_about_its_value(
    value: float, half_width: float
) -> None:
    interval = SIZE.interval(value, half_width)
    assert interval is not None
    assert 0.0 <= interval[0] <= value * (1.0 + 1e-12)
    assert value * (1.0 - 1e-12) <= interval[1] < math.inf


def test_a_share_has_an_interval_on_the_scale_of_its_logit() -> None:
    # The logit of .9 is log 9 = 2.1972; the slope there .9 · .1 = .09, so .18 reaches 2 to both
    # sides: σ(.1972) = .5491 and σ(4.1972) = .9852. The symmetric interval would end at 1.08.
    assert SHARE.interval(0.9, 0.18) == pytest.approx((0.5491, 0.9852), abs=1e-4)


def test_a_size_has_an_interval_on_the_scale_of_its_logarithm() -> None:
    # .5 about .5 is a factor of e to both sides: .1839 and 1.3591. The symmetric one begins at 0.
    assert SIZE.interval(0.5, 0.5) == pytest.approx((0.1839, 1.3591), abs=1e-4)


@pytest.mark.parametrize("half_width", [1e-4, 1e-3])
def test_a_narrow_interval_is_almost_symmetric(half_width: float) -> None:
    for interval in (SHARE.interval(0.7, half_width), SIZE.interval(0.7, half_width)):
        assert interval == pytest.approx((0.7 - half_width, 0.7 + half_width), abs=2e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_at_an_end_of_the_range_there_is_none(value: float) -> None:
    assert SHARE.interval(value, 0.1) is None


@pytest.mark.parametrize("half_width", [0.0, math.nan, math.inf])
def test_an_interval_without_a_width_is_none(half_width: float) -> None:
    assert SHARE.interval(0.7, half_width) is None
    assert SIZE.interval(0.7, half_width) is None


def test_the_interval_of_a_change_is_cut_at_the_largest_change_there_can_be() -> None:
    assert SHARE.change_interval(-1.2, 0.4) == (-1.0, 0.4)
    assert SHARE.change_interval(-0.2, 1.4) == (-0.2, 1.0)
    assert SIZE.change_interval(-7.0, 5.0) == (-7.0, 5.0)
    assert SHARE.change_interval(0.3, 0.3) is None
    assert SHARE.change_interval(0.0, 0.0) == (0.0, 0.0)


def test_every_metric_has_the_range_of_its_formula() -> None:
    sizes = {name for name, metric in METRICS.items() if metric.range is SIZE}
    assert sizes == {
        "log_loss",
        "normalized_entropy",
        "calibration",
        "mse",
        "normalized_mse",
        "mae",
    }
    assert {
        name for name, metric in METRICS.items() if metric.range is SHARE
    } == METRICS.keys() - sizes


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("auc", [0.98, 0.97, 0.99, 0.995, 0.9]),
        ("auc", [0.02, 0.03, 0.1, 0.015, 0.01]),
        ("auc", [0.98, 1.0, 0.97, 0.96]),
        ("ndcg", [0.99, 0.98, 0.9999, 0.7]),
        ("calibration", [0.1, 0.01, 0.4, 0.05]),
        ("log_loss", [0.05, 0.01, 0.2, 0.001]),
        ("mse", [1e-6, 1e-9, 3e-6, 1e-7]),
    ],
)
def test_what_is_read_of_tfmas_interval_stays_in_the_range(
    metric: str, values: list[float]
) -> None:
    """The interval is that of the jackknife on the scale without ends, whatever TFMA writes between."""
    of_metric = METRICS[metric].range
    estimate = unsure_value(np.array(values), of_metric)
    quantile = t.ppf(0.975, estimate.degrees_of_freedom)
    assert estimate.error is not None
    half_width = quantile * estimate.error
    assert estimate.interval == (values[0] - half_width, values[0] + half_width)
    interval = of_metric.interval(values[0], half_width)
    assert interval is not None
    assert 0.0 < interval[0] < values[0] < interval[1]
    assert interval[1] < of_metric.highest
    scaled = of_metric.scaled(np.array(values))
    if np.isfinite(scaled).all():
        reach = quantile * standard_error(scaled)
        ends = of_metric.scaled(np.array(interval))
        assert ends == pytest.approx([scaled[0] - reach, scaled[0] + reach], rel=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        [0.7],
        [0.7, 0.7],
        [0.7, 0.7, 0.7],
        [0.7, 0.7 + 1e-16, 0.7 - 1e-16],
        [1.0, 1.0, 1.0, 1.0],
        [0.7, 0.6, math.nan],
    ],
)
def test_without_two_parts_that_differ_there_is_no_interval(values: list[float]) -> None:
    for found, value in (
        (unsure_value(np.array(values), SHARE), values[0]),
        (unsure_value(np.array(values) - 0.25), values[0] - 0.25),
    ):
        assert found.value == value
        assert found.interval is None


def test_models_that_differ_nowhere_differ_by_nothing_for_sure() -> None:
    assert unsure_value(np.zeros(21)).interval == (0.0, 0.0)

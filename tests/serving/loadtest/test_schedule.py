"""When requests are due."""

from __future__ import annotations

import numpy as np
import pytest

from serving.loadtest.load_generator import send_times_s


def test_constant_arrivals_are_evenly_spaced_from_the_start():
    # 4 a second for 1 s
    assert send_times_s(4.0, 1.0, "constant", seed=0).tolist() == [0.0, 0.25, 0.5, 0.75]


def test_poisson_arrivals_keep_the_rate_with_gaps_whose_deviation_equals_their_mean():
    times = send_times_s(1000.0, 50.0, "poisson", seed=1)
    # 50,000 expected with a deviation of √50,000 ≈ 224; four of those are allowed
    assert abs(times.size - 50_000) < 900
    gaps = np.diff(times)
    assert gaps.min() >= 0.0
    assert gaps.mean() == pytest.approx(0.001, rel=0.02)
    assert gaps.std() == pytest.approx(0.001, rel=0.02)
    assert times.max() < 50.0


def test_the_seed_fixes_the_poisson_arrivals():
    one, same, other = (send_times_s(50.0, 2.0, "poisson", seed) for seed in (3, 3, 4))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("rate", "seconds", "text"),
    [
        (0.0, 1.0, "rate: a finite number above 0 is needed; received 0"),
        (float("nan"), 1.0, "rate: a finite number above 0 is needed; received nan"),
        (1.0, float("inf"), "seconds: a finite number above 0 is needed; received inf"),
        (
            1e6,
            1e3,
            "1e+06 requests/s for 1000 s are 1000000000 requests; at most 5000000 can be measured",
        ),
    ],
)
def test_rates_that_cannot_be_sent_are_refused(rate, seconds, text):
    with pytest.raises(ValueError, match=text.replace("+", r"\+")):
        send_times_s(rate, seconds, "constant", seed=0)


def test_a_test_too_short_for_its_rate_is_refused():
    with pytest.raises(ValueError, match=r"0\.001 requests/s for 0\.1 s are no request at all"):
        send_times_s(0.001, 0.1, "poisson", seed=0)

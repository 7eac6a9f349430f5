"""When each request of a load test is due: fixed beforehand, so that a slow server cannot slow the load down."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Arrivals = Literal["poisson", "constant"]

MAX_REQUESTS = 5_000_000


def send_times_s(
    rate: float, seconds: float, arrivals: Arrivals, seed: int
) -> npt.NDArray[np.float64]:
    """Seconds from the start of the test at which a request is due, ascending, all below `seconds`: (N,).

    Args:
        rate: requests a second, on average.
        seconds: how long requests are sent.
        arrivals: `poisson`, as from many users who do not know of each other, or `constant`, evenly
            spaced.
        seed: of the Poisson arrivals; the same seed gives the same times.

    Raises:
        ValueError: the rate or the time is not a positive number, or they ask for no request, or
            for more than can be measured.
    """
    for name, value in (("rate", rate), ("seconds", seconds)):
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{name}: a finite number above 0 is needed; received {value:g}")
    expected = rate * seconds
    if expected > MAX_REQUESTS:
        raise ValueError(
            f"{rate:g} requests/s for {seconds:g} s are {expected:.0f} requests; at most {MAX_REQUESTS} can be measured"
        )
    if arrivals == "constant":
        times = np.arange(np.ceil(expected)) / rate
    else:
        # Ten standard deviations above the mean: the last gap lies beyond the end for all practical
        # purposes.
        gaps = np.random.default_rng(seed).exponential(
            1.0 / rate, size=int(expected + 10.0 * np.sqrt(expected) + 20)
        )
        times = np.cumsum(gaps)
    times = times[times < seconds]
    if not times.size:
        raise ValueError(
            f"{rate:g} requests/s for {seconds:g} s are no request at all; raise one of them"
        )
    return times

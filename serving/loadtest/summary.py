"""The outcome of a load test in a few numbers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pydantic

from serving.loadtest.measurements import Measurements

# Beyond these, the time that the generator lost is no longer small beside what it measured.
_LOSS_SHARE_OF_LATENCY, _LOSS_BELOW_NOTICE_MS = 0.1, 2.0
_MOST_WINDOWS = 200


class Distribution(pydantic.BaseModel, frozen=True):
    """Percentiles in milliseconds, each a value that occurred (nearest rank).

    Infinite where so many requests were not answered in time that the percentile falls among them,
    and NaN where there was nothing to measure; JSON has null for both.

    Attributes:
        measured: The number of values behind the percentiles.
        p50_ms: Half of the values are at most this.
        p90_ms: 90 % of the values are at most this.
        p99_ms: 99 % of the values are at most this.
        p99_9_ms: 99.9 % of the values are at most this.
        max_ms: The largest value.
    """

    measured: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float


class Window(pydantic.BaseModel, frozen=True):
    """The requests that were due in a stretch of the test.

    Attributes:
        start_s: Seconds from the start of the test to the start of the window.
        scheduled: Requests due.
        answered: Requests due in the window that were answered with OK.
        latency: The latency of the requests that were answered, or not answered in time.
    """

    start_s: float
    scheduled: int
    answered: int
    latency: Distribution


class Summary(pydantic.BaseModel, frozen=True):
    """The summary of a load test.

    Attributes:
        scheduled: Requests that were due: sent + not_sent.
        sent: Requests that left the generator: answered + those failed + unanswered.
        not_sent: Requests that the generator did not get to before the test ended.
        answered: Requests answered with OK.
        unanswered: Requests with neither answer nor error when the test ended.
        failed: Requests that ended with an error, by gRPC code.
        scheduled_rate: Requests due a second.
        sent_rate: Requests sent a second.
        answered_rate: Requests answered with OK a second, up to the last answer.
        latency: The time from when a request was due to its answer.
        service_time: The time from when a request was sent to its answer.
        lag: The delay with which requests were sent.
        windows: The windows of the test, in order.
    """

    scheduled: int
    sent: int
    not_sent: int
    answered: int
    unanswered: int
    failed: dict[str, int]
    scheduled_rate: float
    sent_rate: float
    answered_rate: float
    latency: Distribution
    service_time: Distribution
    lag: Distribution
    windows: list[Window]

    @property
    def generator_was_the_limit(self) -> bool:
        """True if the generator, not the server, shaped the result by sending too late."""
        pairs = [
            (getattr(self.latency, name), getattr(self.service_time, name))
            for name in ("p50_ms", "p90_ms", "p99_ms")
        ]
        lost = [
            latency_ms - service_time_ms
            > max(_LOSS_BELOW_NOTICE_MS, _LOSS_SHARE_OF_LATENCY * latency_ms)
            for latency_ms, service_time_ms in pairs
            if math.isfinite(latency_ms) and math.isfinite(service_time_ms)
        ]
        return self.not_sent > 0 or any(lost)


def summarise(measurements: Measurements, seconds: float) -> Summary:
    """Sum up a load test.

    Args:
        measurements: The times at which each request was due, sent and answered.
        seconds: The time in seconds during which requests were due.
    """
    counts = measurements.counts
    last_sent_s = float(np.nanmax(measurements.sent_s, initial=0.0))
    last_done_s = float(np.nanmax(measurements.done_s, initial=0.0))
    return Summary(
        scheduled=counts.scheduled,
        sent=counts.sent,
        not_sent=counts.not_sent,
        answered=counts.answered,
        unanswered=counts.unanswered,
        failed=dict(counts.failed.most_common()),
        scheduled_rate=counts.scheduled / seconds,
        sent_rate=counts.sent / max(seconds, last_sent_s),
        answered_rate=counts.answered / max(seconds, last_done_s),
        latency=distribution(measurements.latency_s),
        service_time=distribution(measurements.service_time_s),
        lag=distribution(measurements.lag_s),
        windows=_windows(measurements, seconds),
    )


def distribution(values_s: npt.NDArray[np.float64]) -> Distribution:
    """Return the percentiles, in milliseconds, of values in seconds; NaN is left out."""
    ascending_ms = 1000.0 * np.sort(values_s[~np.isnan(values_s)])

    def percentile(share: float) -> float:
        if not ascending_ms.size:
            return float("nan")
        # Rounded, because 0.999 · 1000 is a little above 999 in floating point.
        rank = int(np.ceil(round(share * ascending_ms.size, 6)))
        return float(ascending_ms[max(rank, 1) - 1])

    return Distribution(
        measured=ascending_ms.size,
        p50_ms=percentile(0.5),
        p90_ms=percentile(0.9),
        p99_ms=percentile(0.99),
        p99_9_ms=percentile(0.999),
        max_ms=percentile(1.0),
    )


def _windows(measurements: Measurements, seconds: float) -> list[Window]:
    """Cut a test into windows of one second, longer in a long test and shorter in a short one."""
    width_s = max(seconds / _MOST_WINDOWS, min(1.0, seconds / 20.0))
    windows = []
    for start_s in np.arange(0.0, seconds, width_s).tolist():
        due = (measurements.scheduled_s >= start_s) & (measurements.scheduled_s < start_s + width_s)
        if due.any():
            part = measurements.part(due)
            windows.append(
                Window(
                    start_s=start_s,
                    scheduled=int(due.sum()),
                    answered=part.counts.answered,
                    latency=distribution(part.latency_s),
                )
            )
    return windows

"""Sends requests when they are due, whatever became of those before: an open loop.

A closed loop, which waits for an answer before it sends again, goes easy on a server just when it
is slow, and so never measures what the requests that it left out would have met (coordinated
omission). Here the schedule is fixed beforehand; a request that cannot be sent in time is sent
late, and its latency counts from the time it was due.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import grpc
import numpy as np
import numpy.typing as npt

from serving.loadtest.measurements import CODES, OK, OPEN, Measurements

Arrivals = Literal["poisson", "constant"]

MAX_REQUESTS = 5_000_000


def send_times_s(
    rate: float, seconds: float, arrivals: Arrivals, seed: int
) -> npt.NDArray[np.float64]:
    """Return the times at which requests are due, in seconds from the start, ascending: (N,).

    Args:
        rate: Requests a second, on average.
        seconds: The time in seconds during which requests are due; all times are below it.
        arrivals: `poisson`, as from many users who do not know of each other, or `constant`, evenly
            spaced.
        seed: The seed of the Poisson arrivals. The same seed gives the same times.

    Raises:
        ValueError: The rate or the time is not a positive number, or they ask for no request, or
            for more than can be measured.
    """
    for name, value in (("rate", rate), ("seconds", seconds)):
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{name}: a finite number above 0 is needed; received {value:g}")
    expected = rate * seconds
    if expected > MAX_REQUESTS:
        raise ValueError(
            f"{rate:g} requests/s for {seconds:g} s are {expected:.0f} requests; at most "
            f"{MAX_REQUESTS} can be measured"
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


# A method of a channel: called with the request and a timeout in seconds, it gives a future at
# once.
SendMethod = Callable[..., Any]

_RECENT = 500


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a load test.

    Attributes:
        elapsed_s: Seconds since the start of the test.
        sent: Requests sent.
        answered: Requests answered with OK.
        failed: Requests that ended with an error.
        recent_latency_s: The latencies of the requests sent last, as far as they have been
            answered.
    """

    elapsed_s: float
    sent: int
    answered: int
    failed: int
    recent_latency_s: npt.NDArray[np.float64]


class LoadGenerator:
    """One load test: `start`, then `wait` until it is over."""

    def __init__(
        self,
        sends: Sequence[SendMethod],
        requests: Sequence[bytes],
        scheduled_s: npt.NDArray[np.float64],
        *,
        timeout_s: float,
        drain_s: float,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        """Send nothing yet.

        Args:
            sends: The ``future`` method of a call on each connection, used in turn.
            requests: The serialized requests, sent in turn.
            scheduled_s: The time at which each request is due, from `send_times_s`.
            timeout_s: The deadline of each request, from the time it is sent.
            drain_s: The time in seconds, after the last request was due, to wait for open requests.
            clock: Gives the time in seconds.
            wait: Waits for an event, at most for the seconds given, on the same clock.
        """
        self._sends, self._requests = sends, requests
        self._timeout_s = timeout_s
        self._clock, self._wait = clock, wait
        self._end_s = float(scheduled_s[-1]) + drain_s
        self._live = Measurements.of_schedule(scheduled_s)
        self._open: dict[int, Any] = {}
        self._sent, self._ended = 0, Counter[int]()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._start_s = 0.0
        self._sender = threading.Thread(target=self._send_all, name="load-generator", daemon=True)

    def start(self) -> None:
        """Begin to send, and return at once."""
        self._start_s = self._clock()
        self._sender.start()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start_s

    def wait(self, timeout_s: float) -> bool:
        """Wait until every request, or the test, has come to its end.

        Returns whether either happened within `timeout_s`.
        """
        remaining_s = max(self._end_s - self.elapsed_s, 0.0)
        return self._wait(self._over, min(timeout_s, remaining_s)) or self.elapsed_s >= self._end_s

    def progress(self) -> Progress:
        """Return the progress of the test, quickly, so that asking does not hold up the sending."""
        with self._lock:
            answered = self._ended[OK]
            recent = slice(max(self._sent - _RECENT, 0), self._sent)
            latency_s = self._live.part(recent).latency_s
            return Progress(
                elapsed_s=self.elapsed_s,
                sent=self._sent,
                answered=answered,
                failed=self._ended.total() - answered,
                recent_latency_s=latency_s[np.isfinite(latency_s)],
            )

    def stop(self) -> Measurements:
        """End the test: cancel open requests, and return the measurements of those due by now."""
        self._over.set()
        with self._lock:
            final = self._live.part(self._live.scheduled_s <= self.elapsed_s)
            given_up = list(self._open.values())
        for call in given_up:
            call.cancel()
        return final

    def _send_all(self) -> None:
        sends, requests = cycle(self._sends), cycle(self._requests)
        for index, due_s in enumerate(self._live.scheduled_s.tolist()):
            early_s = due_s - self.elapsed_s
            if self._wait(self._over, early_s) if early_s > 0.0 else self._over.is_set():
                return
            send, request = next(sends), next(requests)
            with self._lock:
                self._live.sent_s[index] = self.elapsed_s
                self._live.outcome[index] = OPEN
                self._sent = index + 1
            call = send(request, timeout=self._timeout_s)
            with self._lock:
                self._open[index] = call
            call.add_done_callback(lambda done, index=index: self._record(index, done))

    def _record(self, index: int, call: grpc.Future) -> None:
        done_s = self.elapsed_s
        with self._lock:
            self._open.pop(index, None)
            self._live.done_s[index] = done_s
            self._live.outcome[index] = outcome = CODES.index(call.code())
            self._ended[outcome] += 1
            if self._ended.total() == self._live.outcome.size:
                self._over.set()

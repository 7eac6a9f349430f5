"""The deadline of a call, its retries and its hedging, and the budgets of both.

Predict and GetModelMetadata change nothing on the server, so an attempt may be repeated whatever
became of it. An attempt is repeated where the same request can be expected to succeed a moment
later. gRPC's own `retryPolicy` retries too much, and gRPC in Python has no hedging; so both are
done here.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc


class Deadline:
    """The time limit of a call. It starts when constructed.

    Args:
        timeout_ms: The time that the call may take, in milliseconds.
        clock: Gives the time in seconds.

    Attributes:
        timeout_ms: The time that the call may take, in milliseconds.

    Raises:
        ValueError: The time is not finite, or not above 0.
    """

    def __init__(self, timeout_ms: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeout_ms = positive_ms("timeout_ms", timeout_ms)
        self._clock = clock
        self._end_s = clock() + timeout_ms / 1000.0

    @property
    def now_s(self) -> float:
        """The time on the deadline's clock, in seconds."""
        return self._clock()

    @property
    def remaining_s(self) -> float:
        """The seconds left, at least 0."""
        return max(self._end_s - self._clock(), 0.0)


def positive_ms(name: str, value: float) -> float:
    """Return a length of time in milliseconds, after a check.

    Raises:
        ValueError: The value is out of range.
    """
    if not (value > 0.0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite number above 0; received {value!r}")
    return value


_RESERVE = 10.0


class RetryBudget:
    """Bounds the extra calls of a client, retries or hedges, to a share of its calls.

    A reserve of ten allows for bursts; it fills up again by that share. One budget may be used by
    many threads.

    Args:
        share: The number of extra calls per call, 0 to 1.

    Attributes:
        calls: The number of calls so far.
        taken: The number of extra calls so far.
    """

    def __init__(self, share: float) -> None:
        self._share = checked_share(share)
        self._left = _RESERVE if share else 0.0
        self.calls = 0
        self.taken = 0
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Count a call."""
        with self._lock:
            self.calls += 1
            self._left = min(self._left + self._share, _RESERVE)

    def take(self) -> bool:
        """Spend an extra call if one is left, and return whether one was."""
        with self._lock:
            if self._left < 1.0:
                return False
            self._left -= 1.0
            self.taken += 1
            return True


def checked_share(share: float) -> float:
    """Return a share, after a check.

    Raises:
        ValueError: The value is out of range.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"maximum_share must be from 0 to 1; received {share!r}")
    return share


# gRPC refuses a message over the limit of either side with RESOURCE_EXHAUSTED and these words. It
# will not get smaller.
_MESSAGE_TOO_LARGE = "larger than max"
_MOST_DOUBLINGS = 1023  # a float holds no higher power of two


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with jitter, within the call's deadline.

    Attributes:
        attempts: The largest number of attempts for a message, hedges not counted; 1 for no
            retries.
        initial_backoff_ms: The back-off before the first retry, in milliseconds; doubled for each
            further retry.
        maximum_backoff_ms: The longest back-off in milliseconds.
        maximum_share: The largest number of retries as a share of the client's calls, beyond a
            reserve of ten. It keeps retries from multiplying the load of a server that is
            overloaded already.
    """

    attempts: int = 3
    initial_backoff_ms: float = 20.0
    maximum_backoff_ms: float = 500.0
    maximum_share: float = 0.2

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1; received {self.attempts!r}")
        positive_ms("initial_backoff_ms", self.initial_backoff_ms)
        positive_ms("maximum_backoff_ms", self.maximum_backoff_ms)
        checked_share(self.maximum_share)

    def backoff_s(self, retry: int) -> float:
        """Return the seconds to wait before a retry, between half and all of the back-off.

        Args:
            retry: The number of the retry, from 1.
        """
        growth = 2.0 ** min(retry - 1, _MOST_DOUBLINGS)
        full_ms = min(self.initial_backoff_ms * growth, self.maximum_backoff_ms)
        return full_ms / 1000.0 * random.uniform(0.5, 1.0)


def is_retryable(error: grpc.RpcError) -> bool:
    """Return whether the same message may succeed a moment later.

    It may, if the server was not reached or was too busy.
    """
    code = error.code()
    too_busy = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _MESSAGE_TOO_LARGE not in (
        error.details() or ""
    )
    return too_busy or code is grpc.StatusCode.UNAVAILABLE


@dataclass(frozen=True, kw_only=True)
class HedgingPolicy:
    """Sends a message again on another channel if no answer is there after a delay; the first wins.

    It cuts the tail of the latency where several servers stand behind the target, and costs the
    share of calls that are slower than the delay: choose about the 95th percentile.

    Attributes:
        delay_ms: The time between the first attempt and the second, in milliseconds.
        maximum_share: The largest number of second attempts as a share of the client's calls,
            beyond a reserve of ten. It keeps a server that is slow as a whole from being asked
            everything twice.
    """

    delay_ms: float
    maximum_share: float = 0.1

    def __post_init__(self) -> None:
        positive_ms("delay_ms", self.delay_ms)
        checked_share(self.maximum_share)

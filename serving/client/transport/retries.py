"""When a failed attempt is made again, and after how long.

Predict and GetModelMetadata change nothing on the server, so an attempt may be repeated whatever
became of it. It is, where the same request can be expected to succeed a moment later.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import grpc

from serving.client.transport.deadline import positive_ms
from serving.client.transport.retry_budget import checked_share

# gRPC refuses a message over the limit of either side with RESOURCE_EXHAUSTED and these words. It
# will not get smaller.
_MESSAGE_TOO_LARGE = "larger than max"


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with jitter, within the call's deadline.

    Attributes:
        attempts: how often a message is sent at most, hedges not counted; 1 for no retries.
        initial_backoff_ms: before the first retry; doubled for each further one.
        maximum_backoff_ms: where doubling ends.
        maximum_share: retries that a client makes at most, as a share of its calls, beyond a
            reserve of ten. It keeps retries from multiplying the load of a server that cannot take
            it.
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
        """Seconds to wait before the given retry, from 1: between half and all of the back-off."""
        full_ms = min(self.initial_backoff_ms * 2.0 ** (retry - 1), self.maximum_backoff_ms)
        return full_ms / 1000.0 * random.uniform(0.5, 1.0)


def is_retryable(error: grpc.RpcError) -> bool:
    """Whether the same message may succeed a moment later: the server was not reached, or was too busy."""
    code = error.code()
    too_busy = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _MESSAGE_TOO_LARGE not in (
        error.details() or ""
    )
    return too_busy or code is grpc.StatusCode.UNAVAILABLE

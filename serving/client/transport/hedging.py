"""A second attempt beside a slow first one."""

from __future__ import annotations

from dataclasses import dataclass

from serving.client.transport.deadline import positive_ms
from serving.client.transport.retry_budget import checked_share


@dataclass(frozen=True, kw_only=True)
class HedgingPolicy:
    """Sends a message a second time, on another channel, if no answer is there after a delay. The first answer wins.

    It cuts the tail of the latency where several servers stand behind the target, and costs the
    share of calls that are slower than the delay: choose about the 95th percentile.

    Attributes:
        delay_ms: between the first attempt and the second.
        maximum_share: second attempts that a client makes at most, as a share of its calls, beyond
            a reserve of ten. It keeps a server that has become slow as a whole from being asked
            everything twice.
    """

    delay_ms: float
    maximum_share: float = 0.1

    def __post_init__(self) -> None:
        positive_ms("delay_ms", self.delay_ms)
        checked_share(self.maximum_share)

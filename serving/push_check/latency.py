"""How long answers take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The time of ranking requests of one size over gRPC, one after the other.

    Attributes:
        candidates: of each request.
        p50_ms: the time that half of the requests took at most.
        p99_ms: the time that 99 of 100 took at most.
    """

    candidates: int
    p50_ms: float
    p99_ms: float

    def refusal(self, budget_ms: float) -> str:
        """Why the version is too slow."""
        return (
            f"rank of {self.candidates} candidates: p99 {self.p99_ms:.1f} ms (p50 {self.p50_ms:.1f} ms) is above "
            f"serving.latency_budget_ms {budget_ms:g} by {self.p99_ms - budget_ms:.1f} ms"
        )


def measured_latency(
    candidates: int, call: Callable[[Any], Any], requests: Sequence[Any]
) -> Latency:
    """Makes the requests, which have so many candidates each."""
    times_ms = []
    for request in requests:
        began_s = time.perf_counter()
        call(request)
        times_ms.append(1000.0 * (time.perf_counter() - began_s))
    p50_ms, p99_ms = np.percentile(times_ms, [50, 99])
    return Latency(candidates=candidates, p50_ms=float(p50_ms), p99_ms=float(p99_ms))

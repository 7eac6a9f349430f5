"""The two criteria of the push check: latency by number of candidates, and difference to the trainer's scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, kw_only=True)
class ScoreDifference:
    """The score of a request that differs most.

    Attributes:
        request: what was asked.
        score: name of the task, or ``ranking_score``.
        row: of the request.
        served: the score over gRPC.
        trainers: the score of the trainer's export in process.
        size: |served − trainer's|, divided by the trainer's where that is above 1; infinite where
            just one of both is a number.
    """

    request: str
    score: str
    row: int
    served: float
    trainers: float
    size: float

    def refusal(self, tolerance: float) -> str:
        """Why the version is not the model that was trained."""
        return (
            f"{self.request}: {self.score} of row {self.row} is {self.served:.6g} over gRPC and {self.trainers:.6g} in the "
            f"trainer's export; they differ by {self.size:.2g}, more than serving.score_tolerance {tolerance:g}"
        )


def largest_difference(
    request: str, scores: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> ScoreDifference:
    """The largest difference between served scores and the trainer's.

    Args:
        request: what was asked, in words.
        scores: by name, served and trainer's, each (R,).

    Raises:
        ValueError: the server did not give a score a row.
    """
    found = []
    for name, (served, trainers) in scores.items():
        if served.shape != trainers.shape:
            raise ValueError(
                f"{request}: {name} has the shape {served.shape} over gRPC, {trainers.shape} in the trainer's export"
            )
        with np.errstate(invalid="ignore"):
            sizes = np.abs(served - trainers) / np.maximum(np.abs(trainers), 1.0)
        # Equal infinities are no difference, and neither are two values that both are no numbers.
        same = (served == trainers) | (np.isnan(served) & np.isnan(trainers))
        sizes = np.where(same, 0.0, np.where(np.isnan(sizes), np.inf, sizes))
        row = int(np.argmax(sizes))
        found.append(
            ScoreDifference(
                request=request, score=name, row=row, served=float(served[row]), trainers=float(trainers[row]),
                size=float(sizes[row]),
            )
        )  # fmt: skip
    return max(found, key=lambda difference: difference.size)

"""The two criteria of the push check: the latency, and the difference to the trainer's scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_spec.artifacts.push_check_report import RankingLatency


def latency_refusal(latency: RankingLatency, budget_ms: float) -> str:
    """Say why a version is too slow."""
    return (
        f"rank of {latency.candidates} candidates: p99 {latency.p99:.1f} ms (p50 {latency.p50:.1f} "
        f"ms) is above serving.latency_budget_ms {budget_ms:g} by {latency.p99 - budget_ms:.1f} ms"
    )


def measured_latency(
    candidates: int,
    call: Callable[[Any], Any],
    requests: Sequence[Any],
    clock: Callable[[], float] = time.perf_counter,
) -> RankingLatency:
    """Make requests one after the other, and measure the time that each takes.

    Args:
        candidates: The number of candidates in each request.
        call: Makes a request and waits for its answer.
        requests: The requests.
        clock: Gives the time in seconds.
    """
    times_ms = []
    for request in requests:
        began_s = clock()
        call(request)
        times_ms.append(1000.0 * (clock() - began_s))
    p50_ms, p99_ms = np.percentile(times_ms, [50, 99])
    return RankingLatency(candidates=candidates, p50=float(p50_ms), p99=float(p99_ms))


@dataclass(frozen=True, kw_only=True)
class ScoreDifference:
    """The score of a request that differs most.

    Attributes:
        request: The request in words.
        score: Name of the task, ``ranking_score`` or ``log_ranking_score``.
        row: The row of the request.
        served: The score over gRPC.
        trainers: The score of the trainer's export in process.
        size: |served − trainer's|, divided by the trainer's where that is above the score's unit;
            infinite where just one of both is a number.
    """

    request: str
    score: str
    row: int
    served: float
    trainers: float
    size: float

    def refusal(self, tolerance: float) -> str:
        """Say why the version is not the model that was trained."""
        return (
            f"{self.request}: {self.score} of row {self.row} is {self.served:.6g} over gRPC and "
            f"{self.trainers:.6g} in the "
            f"trainer's export; they differ by {self.size:.2g}, more than serving.score_tolerance "
            f"{tolerance:g}"
        )


def largest_difference(
    request: str,
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]],
    units: Mapping[str, float] | None = None,
) -> ScoreDifference:
    """Return the largest difference between served scores and the trainer's.

    Args:
        request: The request in words.
        scores: The served and the trainer's scores by name, each (R,).
        units: The size by name from which on differences are relative; 1 for the others.

    Raises:
        ValueError: The server did not give one score for each row.
    """
    found = []
    for name, (served, trainers) in scores.items():
        if served.shape != trainers.shape:
            raise ValueError(
                f"{request}: {name} has the shape {served.shape} over gRPC, {trainers.shape} in "
                "the trainer's export"
            )
        with np.errstate(invalid="ignore"):
            sizes = np.abs(served - trainers) / np.maximum(
                np.abs(trainers), (units or {}).get(name, 1.0)
            )
        # Equal infinities are no difference, and neither are two values that both are no numbers.
        same = (served == trainers) | (np.isnan(served) & np.isnan(trainers))
        sizes = np.where(same, 0.0, np.where(np.isnan(sizes), np.inf, sizes))
        row = int(np.argmax(sizes))
        found.append(
            ScoreDifference(
                request=request,
                score=name,
                row=row,
                served=float(served[row]),
                trainers=float(trainers[row]),
                size=float(sizes[row]),
            )
        )
    return max(found, key=lambda difference: difference.size)

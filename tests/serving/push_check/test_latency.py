"""The latency of each request is measured, and a refusal says by how much the budget is exceeded."""

from __future__ import annotations

import pytest

from feature_spec.artifacts.push_check_report import RankingLatency
from serving.push_check.criteria import latency_refusal, measured_latency


def test_each_request_is_timed() -> None:
    # Of 10 requests, 9 take 1 ms and one takes 50 ms, on a clock that only they move.
    now_s = 7.0

    def call(duration_s: float) -> None:
        nonlocal now_s
        now_s += duration_s

    found = measured_latency(7, call, [0.001] * 9 + [0.05], clock=lambda: now_s)
    assert found.candidates == 7
    assert found.p50 == pytest.approx(1.0)
    # The 99th percentile lies .91 of the way from the ninth time to the tenth: 1 + .91 * 49.
    assert found.p99 == pytest.approx(45.59)


def test_a_refusal_says_by_how_much_the_budget_is_exceeded() -> None:
    latency = RankingLatency(candidates=500, p50=12.04, p99=31.26)
    assert latency_refusal(latency, 20.0) == (
        "rank of 500 candidates: p99 31.3 ms (p50 12.0 ms) is above serving.latency_budget_ms 20 by 11.3 ms"
    )


def test_no_request_is_no_latency() -> None:
    with pytest.raises(IndexError):
        measured_latency(1, print, [])

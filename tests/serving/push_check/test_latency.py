"""Latencies are measured a request, and a budget that is passed is told with how much."""

from __future__ import annotations

import time

import pytest

from serving.push_check.criteria import Latency, measured_latency


@pytest.mark.alone
def test_each_request_is_timed() -> None:
    # Of 10 requests one waits: p50 is far below it, and p99 is nearly its time.
    found = measured_latency(7, time.sleep, [0.0] * 9 + [0.05])
    assert found.candidates == 7
    assert found.p50_ms < 20.0
    assert found.p99_ms > 40.0


def test_a_refusal_says_by_how_much_the_budget_is_passed() -> None:
    latency = Latency(candidates=500, p50_ms=12.04, p99_ms=31.26)
    assert latency.refusal(20.0) == (
        "rank of 500 candidates: p99 31.3 ms (p50 12.0 ms) is above serving.latency_budget_ms 20 by 11.3 ms"
    )


def test_no_request_is_no_latency() -> None:
    with pytest.raises(IndexError):
        measured_latency(1, time.sleep, [])

"""Percentiles and counts, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from serving.loadtest.measurements import CODES, DEADLINE_EXCEEDED, NOT_SENT, OK, OPEN, Measurements
from serving.loadtest.summary import distribution, summarise

NAN = float("nan")
UNAVAILABLE = next(index for index, code in enumerate(CODES) if code.name == "UNAVAILABLE")


def measured(*rows):
    """Of (scheduled, sent, done, outcome) rows."""
    scheduled, sent, done, outcome = zip(*rows, strict=True)
    return Measurements(
        scheduled_s=np.array(scheduled),
        sent_s=np.array(sent),
        done_s=np.array(done),
        outcome=np.array(outcome, np.int8),
    )


ONE_OF_EACH = measured(
    (0.0, 0.0, 0.1, OK),
    (0.2, 0.5, 0.6, OK),  # sent 300 ms late
    (0.4, 0.5, 1.5, DEADLINE_EXCEEDED),
    (0.6, 0.6, 0.601, UNAVAILABLE),
    (0.8, 0.8, NAN, OPEN),
    (0.9, NAN, NAN, NOT_SENT),
)


def test_every_request_is_counted_once():
    summary = summarise(ONE_OF_EACH, seconds=1.0)
    assert (summary.scheduled, summary.sent, summary.not_sent) == (6, 5, 1)
    assert (summary.answered, summary.unanswered) == (2, 1)
    assert summary.failed == {"DEADLINE_EXCEEDED": 1, "UNAVAILABLE": 1}
    assert summary.scheduled == summary.sent + summary.not_sent
    assert summary.sent == summary.answered + sum(summary.failed.values()) + summary.unanswered


def test_latency_counts_from_the_time_a_request_was_due_and_service_time_from_its_sending():
    assert ONE_OF_EACH.latency_s[:2] == pytest.approx([0.1, 0.4])
    assert ONE_OF_EACH.service_time_s[:2] == pytest.approx([0.1, 0.1])
    assert ONE_OF_EACH.lag_s[:3] == pytest.approx([0.0, 0.3, 0.1])


def test_a_request_without_an_answer_in_time_is_slower_than_any_number_and_an_error_has_no_latency():
    # late, refused, open, never sent
    assert ONE_OF_EACH.latency_s[2:].tolist() == pytest.approx(
        [math.inf, NAN, math.inf, math.inf], nan_ok=True
    )
    assert ONE_OF_EACH.service_time_s[2:].tolist() == pytest.approx(
        [math.inf, NAN, math.inf, NAN], nan_ok=True
    )


def test_percentiles_are_values_that_occurred():
    # nearest rank of 1 … 1000 ms: the 500th, 900th, 990th, 999th and 1000th
    found = distribution(np.random.default_rng(0).permutation(np.arange(1, 1001)) / 1000.0)
    assert found.measured == 1000
    assert [
        found.p50_ms,
        found.p90_ms,
        found.p99_ms,
        found.p99_9_ms,
        found.max_ms,
    ] == pytest.approx([500, 900, 990, 999, 1000])


def test_percentiles_of_few_values_are_the_nearest_above():
    # of 3: rank ⌈1.5⌉ = 2, then 3
    found = distribution(np.array([0.003, 0.001, 0.002, NAN]))
    assert [found.p50_ms, found.p90_ms, found.max_ms] == pytest.approx([2.0, 3.0, 3.0])


def test_a_percentile_among_the_unanswered_is_infinite_and_null_in_json():
    found = distribution(np.array([0.001] * 95 + [math.inf] * 5))
    assert (found.p90_ms, found.p99_ms) == (pytest.approx(1.0), math.inf)
    assert json.loads(found.model_dump_json())["p99_ms"] is None


def test_windows_hold_every_request_once_by_the_time_it_was_due():
    due = np.arange(0.0, 10.0, 0.01)
    rows = [(t, t, t + (0.5 if t >= 5.0 else 0.001), OK) for t in due.tolist()]
    windows = summarise(measured(*rows), seconds=10.0).windows
    assert (
        sum(window.scheduled for window in windows)
        == sum(window.answered for window in windows)
        == 1000
    )
    for window in windows:
        assert window.latency.p50_ms == pytest.approx(500.0 if window.start_s >= 5.0 else 1.0)


def test_rates_are_over_the_time_that_sending_and_answering_took():
    # 4 requests due within 1 s; the last is sent after 2 s and answered after 4 s
    rows = [(0.0, 0.0, 0.1, OK), (0.25, 0.25, 0.3, OK), (0.5, 0.5, 0.6, OK), (0.75, 2.0, 4.0, OK)]
    summary = summarise(measured(*rows), seconds=1.0)
    assert (summary.scheduled_rate, summary.sent_rate, summary.answered_rate) == (4.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("lag_s", "latency_s", "limit"),
    [
        (0.0001, 0.005, False),
        (0.0015, 0.003, False),  # too little to notice
        (0.004, 0.1, False),  # small beside the latency
        (0.02, 0.1, True),
        (0.9, 0.95, True),
    ],
)
def test_a_generator_that_lags_beside_what_it_measures_was_the_limit(lag_s, latency_s, limit):
    rows = [(t / 100, t / 100 + lag_s, t / 100 + latency_s, OK) for t in range(100)]
    assert summarise(measured(*rows), seconds=1.0).generator_was_the_limit is limit


def test_a_generator_that_did_not_send_everything_was_the_limit():
    assert summarise(ONE_OF_EACH, seconds=1.0).generator_was_the_limit


def test_a_server_that_answers_nothing_does_not_make_the_generator_the_limit():
    rows = [(t / 100, t / 100, NAN, OPEN) for t in range(100)]
    summary = summarise(measured(*rows), seconds=1.0)
    assert summary.latency.p50_ms == math.inf
    assert not summary.generator_was_the_limit

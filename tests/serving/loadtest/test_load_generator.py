"""Open loop: what the generator does when the server, or its own sending, stalls."""

from __future__ import annotations

import threading
import time

import grpc
import numpy as np
import pytest

from serving.loadtest.connections import open_connections
from serving.loadtest.load_generator import LoadGenerator, send_times_s
from serving.loadtest.summary import summarise

pytestmark = pytest.mark.alone  # It asserts how long things take.


def run(sends, scheduled_s, *, timeout_s=10.0, drain_s=5.0, requests=(b"request",)):
    generator = LoadGenerator(sends, requests, scheduled_s, timeout_s=timeout_s, drain_s=drain_s)
    generator.start()
    while not generator.wait(0.05):
        pass
    return generator.stop(), generator


@pytest.fixture
def loaded(serve_with):
    """Runs a load on a server whose Predict is given, on one connection."""

    def load(predict, scheduled_s, **settings):
        with open_connections(
            serve_with(predict, settings.pop("workers", 32)), 1, timeout_s=10.0
        ) as predicts:
            return run([predict.future for predict in predicts], scheduled_s, **settings)

    return load


def reconciles(summary):
    ends = summary.answered + sum(summary.failed.values()) + summary.unanswered
    return summary.scheduled == summary.sent + summary.not_sent and summary.sent == ends


def test_a_stall_of_the_server_counts_for_every_request_that_was_due_in_it(loaded):
    began_s = time.perf_counter()

    def stalls_from_one_half_to_one_and_a_half_seconds(request, context):
        now_s = time.perf_counter() - began_s
        if 0.5 <= now_s < 1.5:
            time.sleep(1.5 - now_s)
        return b""

    measurements, _ = loaded(
        stalls_from_one_half_to_one_and_a_half_seconds, send_times_s(100.0, 2.5, "constant", seed=0)
    )
    summary = summarise(measurements, seconds=2.5)
    assert (summary.scheduled, summary.answered) == (250, 250)
    # Of 250 requests the 100 due in the stall wait 1.00, 0.99, 0.98 … s. So the 125th by latency is
    # quick, the 225th is the 75th of the 100, or the 26th slowest: 0.75 s; the 248th is the 3rd
    # slowest: 0.98 s; the slowest: 1 s. A closed loop would have met the stall once, and found a
    # p99 of a millisecond.
    assert summary.latency.p50_ms < 200.0
    assert summary.latency.p90_ms == pytest.approx(750.0, abs=150.0)
    assert summary.latency.p99_ms == pytest.approx(980.0, abs=150.0)
    assert summary.latency.max_ms == pytest.approx(1000.0, abs=150.0)


class Answered:
    """A call that is answered at once."""

    def add_done_callback(self, callback):
        callback(self)

    def code(self):
        return grpc.StatusCode.OK

    def cancel(self):
        return False


def test_a_stall_of_the_sending_counts_in_the_latency_and_not_in_the_service_time():
    sent = []

    def send_once_stalled(request, timeout):
        sent.append(request)
        if len(sent) == 51:
            time.sleep(1.0)
        return Answered()

    measurements, _ = run([send_once_stalled], send_times_s(100.0, 2.0, "constant", seed=0))
    summary = summarise(measurements, seconds=2.0)
    assert summary.answered == 200
    # The 51st of 200 is due, and sent, at 0.5 s; the 100 due in the next second wait for that one:
    # 1.00, 0.99 … s. The 180th by latency is the 21st slowest: 0.80 s; the 198th is the 3rd
    # slowest: 0.98 s.
    assert summary.latency.p90_ms == pytest.approx(800.0, abs=100.0)
    assert summary.latency.p99_ms == pytest.approx(980.0, abs=100.0)
    # Only the 51st itself took long to be answered.
    assert summary.service_time.p99_ms < 100.0
    assert summary.service_time.max_ms == pytest.approx(1000.0, abs=100.0)
    assert summary.generator_was_the_limit


def test_answers_errors_and_silence_add_up_to_what_was_sent(loaded):
    release = threading.Event()
    number = iter(range(10_000))

    def by_number(request, context):
        kind = next(number) % 4
        if kind == 1:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
        if kind == 2:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        if kind == 3:
            release.wait(20.0)
        return b""

    try:
        # 80 requests, of which 20 are never answered by 32 threads: the rest are.
        measurements, _ = loaded(
            by_number, send_times_s(100.0, 0.8, "constant", seed=0), drain_s=0.5
        )
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.8)
    assert (summary.answered, summary.unanswered) == (20, 20)
    assert summary.failed == {"RESOURCE_EXHAUSTED": 20, "INVALID_ARGUMENT": 20}
    assert reconciles(summary)


def test_a_server_that_hangs_does_not_keep_the_test_from_ending(loaded):
    release = threading.Event()
    began_s = time.perf_counter()
    try:
        measurements, _ = loaded(
            lambda *_: release.wait(30.0) and b"",
            send_times_s(20.0, 0.5, "constant", seed=0),
            drain_s=0.3,
        )
        took_s = time.perf_counter() - began_s
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.5)
    assert (summary.sent, summary.answered, summary.unanswered) == (10, 0, 10)
    assert took_s < 3.0


def test_a_sending_that_hangs_does_not_keep_the_test_from_ending():
    release = threading.Event()

    def hang(request, timeout):
        release.wait(30.0)
        return Answered()

    try:
        measurements, _ = run([hang], send_times_s(20.0, 0.5, "constant", seed=0), drain_s=0.1)
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.5)
    # The first is under way, and the other nine were never sent.
    assert (summary.sent, summary.unanswered, summary.not_sent) == (1, 1, 9)
    assert reconciles(summary)


def test_requests_past_their_deadline_count_as_failed(loaded):
    measurements, _ = loaded(
        lambda *_: time.sleep(0.5) or b"", send_times_s(20.0, 0.5, "constant", seed=0), timeout_s=0.05
    )  # fmt: skip
    assert summarise(measurements, seconds=0.5).failed == {"DEADLINE_EXCEEDED": 10}


def test_the_test_is_over_once_the_last_request_has_ended(loaded):
    began_s = time.perf_counter()
    loaded(lambda *_: b"", send_times_s(20.0, 0.2, "constant", seed=0), drain_s=30.0)
    assert time.perf_counter() - began_s < 5.0


def test_requests_and_connections_take_turns():
    seen = []
    sends = [
        lambda request, timeout, name=name: seen.append((name, request)) or Answered()
        for name in "ab"
    ]
    run(sends, np.zeros(6), requests=(b"1", b"2", b"3"))
    assert seen == [("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"1"), ("a", b"2"), ("b", b"3")]


def test_a_test_that_is_stopped_early_is_about_the_requests_due_by_then():
    generator = LoadGenerator(
        [lambda request, timeout: Answered()],
        [b""],
        send_times_s(100.0, 60.0, "constant", seed=0),
        timeout_s=1.0,
        drain_s=0.0,
    )
    generator.start()
    generator.wait(0.3)
    stopped = generator.stop().counts
    assert 20 <= stopped.scheduled <= 60
    # One may be due at this very moment.
    assert stopped.scheduled - stopped.answered <= 1


def test_progress_counts_what_was_sent_answered_and_failed(loaded):
    number = iter(range(1000))

    def every_second_fails(request, context):
        if next(number) % 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no")
        return b""

    _, generator = loaded(every_second_fails, send_times_s(100.0, 0.2, "constant", seed=0))
    progress = generator.progress()
    assert (progress.sent, progress.answered, progress.failed) == (20, 10, 10)
    assert progress.recent_latency_s.size == 10

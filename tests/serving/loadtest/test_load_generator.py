"""Open loop: what the generator does when the server, or its own sending, stalls."""

from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest

from serving.loadtest.connections import open_connections
from serving.loadtest.load_generator import LoadGenerator, send_times_s
from serving.loadtest.summary import summarise


def run(sends, scheduled_s, *, timeout_s=600.0, drain_s=600.0, requests=(b"request",), until=None):
    """Runs a load to its end, or until its progress is as `until` says."""
    generator = LoadGenerator(sends, requests, scheduled_s, timeout_s=timeout_s, drain_s=drain_s)
    generator.start()
    while not generator.wait(0.05) and not (until and until(generator.progress())):
        pass
    return generator.stop(), generator


class Clock:
    """A clock that only waiting, and what a test says, moves on. Calls end when it has passed their time."""

    def __init__(self):
        self.now_s = 50.0
        self._ends = []

    def wait(self, event, seconds):
        self.move_to(self.now_s + seconds)
        return event.is_set()

    def move_to(self, then_s):
        """Ends the calls that are due until then, in the order of their times."""
        for end_s, call in sorted(self._ends, key=lambda end: end[0]):
            if end_s <= then_s:
                self._ends.remove((end_s, call))
                self.now_s = max(self.now_s, end_s)
                call.end()
        self.now_s = max(self.now_s, then_s)

    def call(self, end_s):
        """A call that is answered at that time."""
        call = Answered()
        if end_s > self.now_s:
            call = Pending()
            self._ends.append((end_s, call))
        return call

    def run(self, sends, scheduled_s, *, drain_s=600.0):
        """Runs a load on this clock, to the last answer."""
        generator = LoadGenerator(
            sends,
            [b"request"],
            scheduled_s,
            timeout_s=600.0,
            drain_s=drain_s,
            clock=lambda: self.now_s,
            wait=self.wait,
        )
        generator.start()
        generator._sender.join()
        self.move_to(self.now_s + drain_s)
        return generator.stop()


class Answered:
    """A call that is answered at once."""

    def add_done_callback(self, callback):
        callback(self)

    def code(self):
        return grpc.StatusCode.OK

    def cancel(self):
        return False


class Pending(Answered):
    """A call that is answered when it is told to end."""

    def add_done_callback(self, callback):
        self._callback = callback

    def end(self):
        self._callback(self)


@pytest.fixture
def loaded(serve_with):
    """Runs a load on a server whose Predict is given, on one connection."""

    def load(predict, scheduled_s, **settings):
        with open_connections(serve_with(predict, settings.pop("workers", 32)), 1) as predicts:
            return run([predict.future for predict in predicts], scheduled_s, **settings)

    return load


def reconciles(summary):
    ends = summary.answered + sum(summary.failed.values()) + summary.unanswered
    return summary.scheduled == summary.sent + summary.not_sent and summary.sent == ends


def test_a_stall_of_the_server_counts_for_every_request_that_was_due_in_it():
    clock = Clock()
    began_s = clock.now_s

    def stalls_from_one_half_to_one_and_a_half_seconds(request, timeout):
        now_s = clock.now_s - began_s
        return clock.call(began_s + 1.5 if now_s + 1e-9 >= 0.5 and now_s < 1.5 else clock.now_s)

    measurements = clock.run(
        [stalls_from_one_half_to_one_and_a_half_seconds],
        send_times_s(100.0, 2.5, "constant", seed=0),
    )
    summary = summarise(measurements, seconds=2.5)
    assert (summary.scheduled, summary.answered) == (250, 250)
    # Of 250 requests the 100 due in the stall wait 1.00, 0.99, 0.98 … s. So the 125th by latency is
    # quick, the 225th is the 75th of the 100, or the 26th slowest: 0.75 s; the 248th is the 3rd
    # slowest: 0.98 s; the slowest: 1 s. A closed loop would have met the stall once, and found a
    # p99 of a millisecond.
    assert summary.latency.p50_ms == pytest.approx(0.0, abs=1e-6)
    assert summary.latency.p90_ms == pytest.approx(750.0)
    assert summary.latency.p99_ms == pytest.approx(980.0)
    assert summary.latency.max_ms == pytest.approx(1000.0)


def test_a_stall_of_the_sending_counts_in_the_latency_and_not_in_the_service_time():
    clock, sent = Clock(), []

    def send_once_stalled(request, timeout):
        sent.append(request)
        if len(sent) == 51:
            clock.move_to(clock.now_s + 1.0)
        return Answered()

    measurements = clock.run([send_once_stalled], send_times_s(100.0, 2.0, "constant", seed=0))
    summary = summarise(measurements, seconds=2.0)
    assert summary.answered == 200
    # The 51st of 200 is due, and sent, at 0.5 s; the 100 due in the next second wait for that one:
    # 1.00, 0.99 … s. The 180th by latency is the 21st slowest: 0.80 s; the 198th is the 3rd
    # slowest: 0.98 s.
    assert summary.latency.p90_ms == pytest.approx(800.0)
    assert summary.latency.p99_ms == pytest.approx(980.0)
    # Only the 51st itself took long to be answered.
    assert summary.service_time.p99_ms == pytest.approx(0.0, abs=1e-6)
    assert summary.service_time.max_ms == pytest.approx(1000.0)
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
            release.wait(600.0)
        return b""

    try:
        # 80 requests, of which 20 are never answered by 32 threads: the rest are.
        measurements, _ = loaded(
            by_number,
            send_times_s(100.0, 0.8, "constant", seed=0),
            until=lambda progress: progress.answered + progress.failed == 60,
        )
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.8)
    assert (summary.answered, summary.unanswered) == (20, 20)
    assert summary.failed == {"RESOURCE_EXHAUSTED": 20, "INVALID_ARGUMENT": 20}
    assert reconciles(summary)


def test_a_server_that_hangs_does_not_keep_the_test_from_ending(loaded):
    release = threading.Event()
    try:
        measurements, _ = loaded(
            lambda *_: release.wait(600.0) and b"",
            send_times_s(20.0, 0.5, "constant", seed=0),
            drain_s=0.3,
        )
        assert not release.is_set()
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.5)
    assert (summary.scheduled, summary.answered) == (10, 0)
    assert reconciles(summary)


def test_a_sending_that_hangs_does_not_keep_the_test_from_ending():
    release, hangs = threading.Event(), threading.Event()

    def hang(request, timeout):
        hangs.set()
        release.wait(600.0)
        return Answered()

    generator = LoadGenerator(
        [hang],
        [b""],
        send_times_s(20.0, 0.5, "constant", seed=0),
        timeout_s=600.0,
        drain_s=0.1,
    )
    try:
        generator.start()
        assert hangs.wait(600.0)
        while not generator.wait(0.05):
            pass
        measurements = generator.stop()
    finally:
        release.set()
    summary = summarise(measurements, seconds=0.5)
    # The first is under way, and the other nine were never sent.
    assert (summary.sent, summary.unanswered, summary.not_sent) == (1, 1, 9)
    assert reconciles(summary)


def test_requests_past_their_deadline_count_as_failed(loaded):
    release = threading.Event()
    try:
        measurements, _ = loaded(
            lambda *_: release.wait(600.0) and b"",
            send_times_s(20.0, 0.5, "constant", seed=0),
            timeout_s=0.05,
        )
    finally:
        release.set()
    assert summarise(measurements, seconds=0.5).failed == {"DEADLINE_EXCEEDED": 10}


def test_the_test_is_over_once_the_last_request_has_ended(loaded):
    _, generator = loaded(
        lambda *_: b"", send_times_s(20.0, 0.2, "constant", seed=0), drain_s=100_000.0
    )
    assert generator.progress().answered == 4


def test_requests_and_connections_take_turns():
    seen = []
    sends = [
        lambda request, timeout, name=name: seen.append((name, request)) or Answered()
        for name in "ab"
    ]
    run(sends, np.zeros(6), requests=(b"1", b"2", b"3"))
    assert seen == [("a", b"1"), ("b", b"2"), ("a", b"3"), ("b", b"1"), ("a", b"2"), ("b", b"3")]


def test_a_test_that_is_stopped_early_is_about_the_requests_due_by_then():
    clock, stopped = Clock(), []

    def send(request, timeout):
        if clock.now_s - 50.0 >= 0.25:
            stopped.append(generator.stop())
        return Answered()

    generator = LoadGenerator(
        [send],
        [b""],
        send_times_s(64.0, 60.0, "constant", seed=0),
        timeout_s=1.0,
        drain_s=0.0,
        clock=lambda: clock.now_s,
        wait=clock.wait,
    )
    generator.start()
    generator._sender.join()
    (measurements,) = stopped
    # Due by 16 / 64 s: 17, of which the last is being sent.
    counts = measurements.counts
    assert (counts.scheduled, counts.sent, counts.answered, counts.unanswered) == (17, 17, 16, 1)


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

"""The steps of a call on a clock that the test moves: nothing is sent, and nobody waits."""

from __future__ import annotations

import grpc
import pytest

from serving.client.transport.attempts import Call, CallCounts, CallPolicy
from serving.client.transport.channel_pool import ChannelRotation
from serving.client.transport.policies import Deadline, HedgingPolicy, RetryPolicy
from serving.client.transport.protocol import Outcome


class Failure(grpc.RpcError):
    def __init__(self, code):
        self._code = code

    def code(self):
        return self._code

    def details(self):
        return "as told"


class CallFailedError(Exception):
    """What the client makes of gRPC's error."""


class Server:
    """Answers sends on a clock of its own: `behaviour` gives the seconds that a send takes, and an error or a response."""

    def __init__(self, behaviour):
        self.now_s = 100.0
        self.sends = []
        self.cancelled = []
        self._behaviour = behaviour

    def run(self, steps):
        """Does the steps of a call, as a transport does."""
        in_flight = {}
        try:
            step = next(steps)
            while True:
                for number in step.cancels:
                    self.cancelled.append(number)
                    in_flight.pop(number, None)
                for send in step.sends:
                    took_s, answer = self._behaviour(len(self.sends), send)
                    if took_s >= send.timeout_s:
                        took_s, answer = send.timeout_s, Failure(grpc.StatusCode.DEADLINE_EXCEEDED)
                    self.sends.append((self.now_s, send))
                    in_flight[send.number] = (self.now_s + took_s, answer)
                end_s = self.now_s + step.wait_s if step.wait_s is not None else float("inf")
                first = min(in_flight, key=lambda number: in_flight[number][0], default=None)
                if first is None or in_flight[first][0] > end_s:
                    self.now_s, outcomes = end_s, []
                else:
                    self.now_s, answer = in_flight.pop(first)
                    is_error = isinstance(answer, Exception)
                    outcomes = [
                        Outcome(number=first, error=answer)
                        if is_error
                        else Outcome(number=first, response=answer)
                    ]
                step = steps.send(outcomes)
        except StopIteration as stop:
            return stop.value


@pytest.fixture
def answer():
    """Answers one message by a server's behaviour; gives the responses, or raises CallFailedError, and the server."""

    def run(behaviour, *, timeout_ms, retries=None, hedging=None):
        server = Server(behaviour)
        policy = CallPolicy(ChannelRotation(2), retries or RetryPolicy(), hedging)
        deadline = Deadline(timeout_ms, clock=lambda: server.now_s)
        call = Call(
            policy, deadline, lambda error, attempts: CallFailedError(error.code().name, attempts)
        )
        try:
            outcome = server.run(call.answers("method", [b"message"]))
        except CallFailedError as error:
            outcome = error.args
        return outcome, server

    return run


UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE)


def test_retries_stay_within_the_deadline(answer):
    retries = RetryPolicy(
        attempts=1000, initial_backoff_ms=30.0, maximum_backoff_ms=30.0, maximum_share=1.0
    )
    (code, attempts), server = answer(
        lambda number, send: (0.0, UNAVAILABLE), timeout_ms=200.0, retries=retries
    )
    # Each wait takes 15 to 30 ms, and a retry is made where one fits into the time left: 6 or more
    # in 200 ms. The reserve of the budget allows ten.
    assert code == "UNAVAILABLE"
    assert 7 <= attempts == len(server.sends) <= 11
    assert server.now_s <= 100.2
    waits_s = [
        later - earlier
        for (earlier, _), (later, _) in zip(server.sends, server.sends[1:], strict=False)
    ]
    assert all(0.0149 < wait_s <= 0.0301 for wait_s in waits_s)


def test_a_retry_has_the_time_that_is_left(answer):
    (code, attempts), server = answer(
        lambda number, send: (0.2, UNAVAILABLE) if number == 0 else (2.0, b"too late"),
        timeout_ms=500.0,
        retries=RetryPolicy(initial_backoff_ms=1.0),
    )
    (_, first), (_, second) = server.sends
    assert (code, attempts) == ("DEADLINE_EXCEEDED", 2)
    assert first.timeout_s == pytest.approx(0.5)
    assert 0.299 <= second.timeout_s <= 0.2996
    assert server.now_s == pytest.approx(100.5)


def test_a_hedge_is_sent_after_the_delay_on_another_channel_and_the_slower_one_is_cancelled(answer):
    responses, server = answer(
        lambda number, send: (1.0, b"slow") if number == 0 else (0.001, b"quick"),
        timeout_ms=9_000.0,
        hedging=HedgingPolicy(delay_ms=20.0),
    )
    assert responses == [b"quick"]
    (began_s, first), (hedged_s, hedge) = server.sends
    assert hedged_s - began_s == pytest.approx(0.02)
    assert (first.channel, hedge.channel) == (0, 1)


def test_an_answer_before_the_delay_is_not_hedged(answer):
    responses, server = answer(
        lambda number, send: (0.019, b"in time"),
        timeout_ms=9_000.0,
        hedging=HedgingPolicy(delay_ms=20.0),
    )
    assert (responses, len(server.sends)) == ([b"in time"], 1)


def test_a_hedge_that_fails_leaves_the_first_attempt_its_time(answer):
    responses, server = answer(
        lambda number, send: (0.2, b"late") if number == 0 else (0.001, UNAVAILABLE),
        timeout_ms=9_000.0,
        hedging=HedgingPolicy(delay_ms=20.0),
    )
    assert (responses, len(server.sends), server.cancelled) == ([b"late"], 2, [])
    assert server.now_s == pytest.approx(100.2)


def test_hedges_are_no_more_than_their_share():
    hedging = HedgingPolicy(delay_ms=3.0, maximum_share=0.1)
    policy = CallPolicy(ChannelRotation(2), RetryPolicy(), hedging)
    sends = 0
    for _ in range(15):
        server = Server(lambda number, send: (0.03, b"slow"))
        deadline = Deadline(9_000.0, clock=lambda server=server: server.now_s)
        server.run(Call(policy, deadline, CallFailedError).answers("method", [b"message"]))
        sends += len(server.sends)
    # All 15 are slow: the reserve of ten, and 14 / 10 = 1 whole earned one.
    assert sends == 15 + 11
    assert policy.counts == CallCounts(calls=15, retries=0, hedges=11)

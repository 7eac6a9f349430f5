"""Retries, hedging and deadlines, of both clients, against servers that fail as told.

What follows from the time is tested in `test_call_steps`, on a clock that the test moves.
"""

from __future__ import annotations

import grpc
import pytest

from serving.client.transport.attempts import CallCounts
from serving.client.transport.policies import HedgingPolicy, RetryPolicy
from serving.client.types import Candidate, RankingRequest
from serving.errors import (
    DeadlineExceededError,
    OverloadedError,
    RankingError,
    ServerUnavailableError,
)

TWO = RankingRequest(
    candidates=[Candidate(fields={"quality": 0.25}), Candidate(fields={"quality": 0.75})]
)
QUICK = RetryPolicy(initial_backoff_ms=1.0)


def refusing(code, text="not now", *, first=10_000, then=None):
    """Refuses the first calls, then answers."""

    def script(number, request, context):
        if number < first:
            context.abort(grpc.StatusCode[code], text)
        return then(request)

    return script


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_server_that_is_away_or_busy_is_asked_again(
    scripted, answer_by_quality, rank_once, toy_spec, code
):
    ranker = scripted(refusing(code, first=2, then=answer_by_quality))
    ranked = rank_once(ranker.target, toy_spec, TWO, retries=QUICK)
    assert [one.position for one in ranked] == [1, 0]
    assert len(ranker.requests) == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [("UNAVAILABLE", ServerUnavailableError), ("RESOURCE_EXHAUSTED", OverloadedError)],
)
def test_attempts_end_at_their_number_and_the_error_tells_it(
    scripted, rank_once, toy_spec, code, kind
):
    ranker = scripted(refusing(code))
    with pytest.raises(kind, match=r"\(4 attempts\): not now") as failure:
        rank_once(
            ranker.target, toy_spec, TWO, retries=RetryPolicy(attempts=4, initial_backoff_ms=1.0)
        )
    assert (len(ranker.requests), failure.value.attempts) == (4, 4)


@pytest.mark.parametrize(
    "code",
    [
        "INVALID_ARGUMENT",
        "FAILED_PRECONDITION",
        "NOT_FOUND",
        "INTERNAL",
        "UNIMPLEMENTED",
        "ABORTED",
        "DEADLINE_EXCEEDED",
    ],
)
def test_what_would_fail_again_is_sent_once(scripted, rank_once, toy_spec, code):
    ranker = scripted(refusing(code))
    with pytest.raises(RankingError):
        rank_once(ranker.target, toy_spec, TWO, retries=QUICK)
    assert len(ranker.requests) == 1


def test_a_message_that_is_too_large_is_sent_once(scripted, rank_once, toy_spec):
    ranker = scripted(
        refusing("RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (9 vs. 4)")
    )
    with pytest.raises(OverloadedError, match="lower max_candidates"):
        rank_once(ranker.target, toy_spec, TWO, retries=QUICK)
    assert len(ranker.requests) == 1


def test_retries_end_with_the_deadline(scripted, rank_once, toy_spec):
    ranker = scripted(refusing("UNAVAILABLE"))
    retries = RetryPolicy(
        attempts=1000, initial_backoff_ms=30.0, maximum_backoff_ms=30.0, maximum_share=1.0
    )
    with pytest.raises((ServerUnavailableError, DeadlineExceededError)):
        rank_once(ranker.target, toy_spec, TWO, retries=retries, timeout_ms=200.0)
    assert len(ranker.requests) <= 11  # the first attempt, and the reserve of ten retries


def test_a_server_that_hangs_is_given_up_at_the_deadline(scripted, rank_once, toy_spec):
    ranker = scripted(lambda number, request, context: ranker.ended[number].wait(600.0) and None)
    with pytest.raises(DeadlineExceededError, match="no answer within 500 ms from model toy"):
        rank_once(ranker.target, toy_spec, TWO, retries=QUICK, timeout_ms=500.0)


def test_a_client_that_has_spent_its_retries_makes_no_more(scripted, toy_spec):
    from serving.client.ranking_client import RankingClient

    ranker = scripted(refusing("UNAVAILABLE"))
    retries = RetryPolicy(attempts=2, initial_backoff_ms=1.0, maximum_share=0.25)
    with RankingClient(ranker.target, toy_spec, retries=retries, timeout_ms=600_000.0) as client:
        for _ in range(20):
            with pytest.raises(ServerUnavailableError):
                client.rank(TWO)
    # 20 first attempts, the reserve of ten retries, and those earned: each call earns a quarter,
    # which the first finds no room for, so 19 / 4 = 4 whole ones
    assert len(ranker.requests) == 20 + 14
    assert client.counts == CallCounts(calls=20, retries=14, hedges=0)


def test_a_slow_first_attempt_is_beaten_by_the_hedge_on_another_connection_and_cancelled(
    scripted, answer_by_quality, rank_once, toy_spec
):
    def script(number, request, context):
        if number == 0:
            assert ranker.ended[0].wait(600.0)
        return answer_by_quality(request)

    ranker = scripted(script)
    ranked = rank_once(
        ranker.target, toy_spec, TWO, hedging=HedgingPolicy(delay_ms=20.0), timeout_ms=600_000.0
    )
    assert [one.position for one in ranked] == [1, 0]
    assert ranker.ended[0].wait(600.0)
    assert len(ranker.requests) == len(set(ranker.peers)) == 2
    assert ranker.requests[0] == ranker.requests[1]


def test_an_answer_before_the_delay_is_not_hedged(scripted, answer_by_quality, rank_once, toy_spec):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    rank_once(ranker.target, toy_spec, TWO, hedging=HedgingPolicy(delay_ms=500_000.0))
    assert len(ranker.requests) == 1


def test_a_hedge_that_fails_leaves_the_first_attempt_its_time(
    scripted, answer_by_quality, rank_once, toy_spec, eventually
):
    def script(number, request, context):
        if number == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the other server is down")
        eventually(lambda: len(ranker.ended) > 1, "the hedge is there")
        assert ranker.ended[1].wait(600.0)
        assert not ranker.ended[0].wait(0.2)  # nothing cancels the first attempt
        return answer_by_quality(request)

    ranker = scripted(script)
    ranked = rank_once(ranker.target, toy_spec, TWO, hedging=HedgingPolicy(delay_ms=20.0))
    assert (len(ranked), len(ranker.requests)) == (2, 2)


def test_hedging_needs_a_second_channel(toy_spec):
    from serving.client.ranking_client import RankingClient

    with pytest.raises(ValueError, match="channels must be at least 2 with hedging"):
        RankingClient("127.0.0.1:1", toy_spec, channels=1, hedging=HedgingPolicy(delay_ms=5.0))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RetryPolicy(attempts=0), "attempts must be at least 1; received 0"),
        (
            lambda: RetryPolicy(initial_backoff_ms=0.0),
            "initial_backoff_ms must be a finite number above 0",
        ),
        (
            lambda: RetryPolicy(maximum_backoff_ms=float("nan")),
            "maximum_backoff_ms must be a finite number above 0",
        ),
        (lambda: RetryPolicy(maximum_share=1.5), "maximum_share must be from 0 to 1; received 1.5"),
        (lambda: HedgingPolicy(delay_ms=0.0), "delay_ms must be a finite number above 0"),
        (
            lambda: HedgingPolicy(delay_ms=1.0, maximum_share=-0.1),
            "maximum_share must be from 0 to 1",
        ),
    ],
)
def test_a_policy_that_is_none_is_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_back_off_doubles_up_to_its_end_and_is_jittered():
    policy = RetryPolicy(initial_backoff_ms=20.0, maximum_backoff_ms=50.0)
    for retry, full_s in ((1, 0.020), (2, 0.040), (3, 0.050), (50, 0.050)):
        waits_s = [policy.backoff_s(retry) for _ in range(200)]
        assert full_s / 2 <= min(waits_s) < full_s * 0.6
        assert full_s * 0.9 < max(waits_s) <= full_s

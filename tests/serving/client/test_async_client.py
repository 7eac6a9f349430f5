"""What only the client for asyncio can do, or has to refuse."""

from __future__ import annotations

import asyncio
import threading

import pytest

from serving.client.ranking_client import AsyncRankingClient, RankingClient
from serving.client.types import Candidate, RankingRequest

TWO = RankingRequest(
    candidates=[Candidate(fields={"quality": 0.25}), Candidate(fields={"quality": 0.75})]
)


def test_calls_run_side_by_side_on_one_loop(scripted, answer_by_quality, toy_spec):
    all_there = threading.Barrier(10)

    def script(number, request, context):
        all_there.wait(600.0)  # one after another, the first would wait for ever
        return answer_by_quality(request)

    ranker = scripted(script)

    async def rank_all():
        async with AsyncRankingClient(ranker.target, toy_spec, timeout_ms=600_000.0) as client:
            return await asyncio.gather(*(client.rank(TWO) for _ in range(10)))

    assert len(asyncio.run(rank_all())) == 10


def test_a_cancelled_call_is_cancelled_on_the_server(scripted, toy_spec, eventually):
    ranker = scripted(lambda number, request, context: ranker.ended[0].wait(600.0) and None)

    async def rank_and_leave():
        async with AsyncRankingClient(ranker.target, toy_spec, timeout_ms=600_000.0) as client:
            call = asyncio.create_task(client.rank(TWO))
            await asyncio.to_thread(eventually, lambda: ranker.ended, "the server is asked")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(ranker.ended[0].wait, 600.0)

    asyncio.run(rank_and_leave())


def test_a_client_may_be_made_before_its_loop_and_belongs_to_the_first(
    scripted, answer_by_quality, toy_spec
):
    ranker = scripted(lambda number, request, context: answer_by_quality(request))
    client = AsyncRankingClient(ranker.target, toy_spec, timeout_ms=600_000.0)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        assert len(first.run_until_complete(client.rank(TWO))) == 2
        with pytest.raises(RuntimeError, match="belongs to the event loop of its first call"):
            second.run_until_complete(client.rank(TWO))
        first.run_until_complete(client.close())
    finally:
        first.close()
        second.close()


def test_a_client_that_is_closed_during_a_call_says_so(scripted, toy_spec, eventually):
    ranker = scripted(lambda number, request, context: ranker.ended[0].wait(600.0) and None)

    async def close_early():
        client = AsyncRankingClient(ranker.target, toy_spec, timeout_ms=600_000.0)
        call = asyncio.create_task(client.rank(TWO))
        await asyncio.to_thread(eventually, lambda: ranker.ended, "the server is asked")
        await client.close()
        await call

    with pytest.raises(RuntimeError, match="closed during a call"):
        asyncio.run(close_early())


@pytest.mark.tensorflow
def test_check_and_rank_are_those_of_the_other_client(serve, push, toy_spec):
    push(1)
    target = serve().target

    async def ask():
        async with AsyncRankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
            return await client.check(), await client.rank(TWO)

    with RankingClient(target, toy_spec, timeout_ms=600_000.0) as client:
        assert asyncio.run(ask()) == (client.check(), client.rank(TWO))

"""Two ways to do the steps of a call: in the calling thread, and on an event loop."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from serving.client.transport.channel_pool import ChannelPool
from serving.client.transport.protocol import Outcome, Result, Send, Step, Steps


class BlockingTransport:
    """Runs calls over channels of ``grpc``. May be used by many threads."""

    def __init__(self, pool: ChannelPool) -> None:
        self._pool = pool

    def run(self, steps: Steps[Result]) -> Result:
        """Do the steps of a call; return its result or raise its error.

        Whatever is in flight then is cancelled.
        """
        in_flight: dict[int, Any] = {}
        finished: queue.SimpleQueue[int] = queue.SimpleQueue()
        try:
            step = next(steps)
            while True:
                for number in step.cancels:
                    if number in in_flight:
                        in_flight.pop(number).cancel()
                if not in_flight and len(step.sends) == 1 and step.wait_s is None:
                    outcomes: Sequence[Outcome] = [self._answered(step.sends[0])]
                else:
                    self._start(step, in_flight, finished)
                    outcomes = _finished(step, in_flight, finished)
                step = steps.send(outcomes)
        except StopIteration as stop:
            return stop.value
        finally:
            for future in in_flight.values():
                future.cancel()

    def close(self) -> None:
        """Close the channels."""
        for channel in self._pool.channels:
            channel.close()

    def _answered(self, send: Send) -> Outcome:
        """Send one message with nothing beside it, the usual case, and wait for its outcome.

        This is quicker than a future, which a thread of gRPC completes.
        """
        try:
            response = self._pool.method(send.channel, send.method)(
                send.payload, timeout=send.timeout_s
            )
        except grpc.RpcError as error:
            return Outcome(number=send.number, error=error)
        return Outcome(number=send.number, response=response)

    def _start(
        self, step: Step, in_flight: dict[int, Any], finished: queue.SimpleQueue[int]
    ) -> None:
        for send in step.sends:
            future = self._pool.method(send.channel, send.method).future(
                send.payload, timeout=send.timeout_s
            )
            in_flight[send.number] = future
            future.add_done_callback(lambda _, number=send.number: finished.put(number))


def _finished(
    step: Step, in_flight: dict[int, Any], finished: queue.SimpleQueue[int]
) -> list[Outcome]:
    """Return the next outcome, or none if none comes in time.

    Cancelled calls finish as well, but do not count.
    """
    try:
        number = finished.get(timeout=step.wait_s)
    except queue.Empty:
        return []
    future = in_flight.pop(number, None)
    if future is None:
        return []
    # A failed future of gRPC is itself the error, with code and details.
    return [
        Outcome(number=number, error=future)
        if future.exception()
        else Outcome(number=number, response=future.result())
    ]


class AsyncTransport:
    """Runs calls over channels of ``grpc.aio``, on the one event loop that the first call runs on.

    Args:
        open_pool: Opens the channels; called on the loop, to which they are bound.
    """

    def __init__(self, open_pool: Callable[[], ChannelPool]) -> None:
        self._open_pool = open_pool
        self._pool: ChannelPool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, steps: Steps[Result]) -> Result:
        """Do the steps of a call; return its result or raise its error.

        Whatever is in flight then is cancelled.

        Raises:
            RuntimeError: The event loop is not that of the first call.
        """
        in_flight: dict[int, asyncio.Task[Outcome]] = {}
        try:
            step = next(steps)
            pool = self._pool_of_loop()
            while True:
                for number in step.cancels:
                    if number in in_flight:
                        in_flight.pop(number).cancel()
                for send in step.sends:
                    in_flight[send.number] = asyncio.create_task(_sent(pool, send))
                outcomes = await _finished_tasks(in_flight, step.wait_s)
                step = steps.send(outcomes)
        except StopIteration as stop:
            return stop.value
        finally:
            for task in in_flight.values():
                task.cancel()

    async def close(self) -> None:
        """Close the channels."""
        if self._pool is not None:
            for channel in self._pool.channels:
                await channel.close()

    def _pool_of_loop(self) -> ChannelPool:
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool, self._loop = self._open_pool(), loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this client belongs to the event loop of its first call; make a client for each "
                "loop"
            )
        return self._pool


async def _sent(pool: ChannelPool, send: Send) -> Outcome:
    try:
        response = await pool.method(send.channel, send.method)(
            send.payload, timeout=send.timeout_s
        )
    except grpc.RpcError as error:
        return Outcome(number=send.number, error=error)
    return Outcome(number=send.number, response=response)


async def _finished_tasks(
    in_flight: dict[int, asyncio.Task[Outcome]], wait_s: float | None
) -> list[Outcome]:
    """Return the outcomes that come next, or none if none comes in time."""
    if not in_flight:
        await asyncio.sleep(wait_s or 0.0)
        return []
    done, _ = await asyncio.wait(
        in_flight.values(), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
    )
    if any(task.cancelled() for task in done):
        raise RuntimeError("the client was closed during a call")
    outcomes = [task.result() for task in done]
    for outcome in outcomes:
        del in_flight[outcome.number]
    return outcomes

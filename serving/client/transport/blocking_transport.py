"""Sends and waits in the calling thread."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Any

import grpc

from serving.client.transport.channel_pool import ChannelPool
from serving.client.transport.protocol import Outcome, Result, Send, Step, Steps


class BlockingTransport:
    """Runs calls over channels of ``grpc``. May be used by many threads."""

    def __init__(self, pool: ChannelPool) -> None:
        self._pool = pool

    def run(self, steps: Steps[Result]) -> Result:
        """Does the steps of a call; gives what it returns, or raises what it raises, and cancels what is in flight then."""
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
        """Closes the channels."""
        for channel in self._pool.channels:
            channel.close()

    def _answered(self, send: Send) -> Outcome:
        """The usual case, one message and nothing beside it: quicker than a future, which a thread of gRPC completes."""
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
    """The next outcome, or none if none comes in time; cancelled ones, which finish as well, do not count."""
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

"""What a call asks of a transport, and what it hears back.

A call is a generator: it yields a `Step`, the transport does it and sends the `Outcome`s in. So
what to send, when, and what to make of the answers is written once (`call_attempts`,
`version_agreement`, `ranking_core`), without I/O; the blocking transport and that for asyncio do
nothing but send and wait.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Send:
    """A message to send.

    Attributes:
        number: names it within its call.
        method: path of the gRPC method.
        payload: the serialized request.
        channel: which channel to send it on.
        timeout_s: seconds after which gRPC gives it up.
    """

    number: int
    method: str
    payload: bytes
    channel: int
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """What to do next.

    Attributes:
        sends: what to send.
        cancels: numbers of sends whose outcomes are no longer wanted; some may have come in
            already.
        wait_s: seconds to wait for an outcome at most; None waits until there is one.
    """

    sends: Sequence[Send]
    cancels: Sequence[int]
    wait_s: float | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a send: a response or an error.

    Attributes:
        number: the send's.
        response: the message that came back.
        error: gRPC's error.
    """

    number: int
    response: Any = None
    error: grpc.RpcError | None = None


Steps = Generator[Step, Sequence[Outcome], Result]

"""The protocol between a call and its transport: steps to do, and their outcomes.

A call is a generator: it yields a `Step`, the transport does it and sends the `Outcome`s in. So
what to send, when, and what to make of the answers is written once, without I/O, in `attempts`,
`request_splitting` and `base_client`. The blocking transport and the one for asyncio do nothing but
send and wait.
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
        number: The number of the send, which identifies it within its call.
        method: The path of the gRPC method.
        payload: The serialized request.
        channel: The number of the channel to send it on.
        timeout_s: Seconds after which gRPC gives the send up.
    """

    number: int
    method: str
    payload: bytes
    channel: int
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """The next step of a call.

    Attributes:
        sends: The messages to send.
        cancels: Numbers of sends whose outcomes are no longer wanted; some may have come in
            already.
        wait_s: Seconds to wait for an outcome at most; None waits until there is one.
    """

    sends: Sequence[Send]
    cancels: Sequence[int]
    wait_s: float | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a send: a response or an error.

    Attributes:
        number: The number of the send.
        response: The message that came back.
        error: The error of gRPC.
    """

    number: int
    response: Any = None
    error: grpc.RpcError | None = None


Steps = Generator[Step, Sequence[Outcome], Result]

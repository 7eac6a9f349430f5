"""One call: its messages are sent, retried and hedged until all are answered or one has failed.

Everything shares the call's deadline. No I/O happens here: see `protocol`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from serving.client.transport.channel_pool import ChannelRotation
from serving.client.transport.policies import (
    Deadline,
    HedgingPolicy,
    RetryBudget,
    RetryPolicy,
    is_retryable,
)
from serving.client.transport.protocol import Outcome, Send, Step, Steps
from serving.errors import ServerError


@dataclass(frozen=True, kw_only=True)
class CallCounts:
    """The calls, retries and hedges of a client so far.

    Attributes:
        calls: Calls of `rank` and `check`.
        retries: Messages sent again after a failure.
        hedges: Messages sent again beside a slow attempt.
    """

    calls: int
    retries: int
    hedges: int


class CallPolicy:
    """The settings and budgets that all calls of a client share. May be used by many threads.

    Args:
        rotation: The rotation that gives each attempt its channel.
        retries: The retry policy.
        hedging: The hedging policy; None for no hedging.
    """

    def __init__(
        self, rotation: ChannelRotation, retries: RetryPolicy, hedging: HedgingPolicy | None
    ) -> None:
        self.rotation = rotation
        self.retries = retries
        self.hedging = hedging
        self.retry_budget = RetryBudget(retries.maximum_share)
        self.hedging_budget = RetryBudget(hedging.maximum_share if hedging else 0.0)

    @property
    def counts(self) -> CallCounts:
        """The counts of all calls so far."""
        budget = self.retry_budget
        return CallCounts(
            calls=budget.calls, retries=budget.taken, hedges=self.hedging_budget.taken
        )


class Call:
    """One call of a client, within one deadline.

    Args:
        policy: The policy of the client.
        deadline: The deadline of everything that the call sends.
        error_of: Makes the client's error of gRPC's and the number of attempts made.
    """

    def __init__(
        self,
        policy: CallPolicy,
        deadline: Deadline,
        error_of: Callable[[grpc.RpcError, int], ServerError],
    ) -> None:
        self._policy = policy
        self._deadline = deadline
        self._error_of = error_of
        self._numbers = itertools.count()
        self._unwanted: list[int] = []
        policy.retry_budget.earn()
        policy.hedging_budget.earn()

    @property
    def remaining_s(self) -> float:
        """The seconds left before the deadline, at least 0."""
        return self._deadline.remaining_s

    def answers(self, method: str, payloads: Sequence[bytes]) -> Steps[list[Any]]:
        """Send messages side by side, and return their responses in the same order.

        Raises:
            ServerError: A message has failed for good; the others are cancelled.
        """
        now_s = self._deadline.now_s
        messages = [_Message(payload=payload, due_s=now_s) for payload in payloads]
        senders: dict[int, _Message] = {}
        try:
            while open_messages := [message for message in messages if message.response is None]:
                sends = []
                for message in open_messages:
                    send = self._due(message, method)
                    if send is not None:
                        senders[send.number] = message
                        sends.append(send)
                due_s = min(message.due_s for message in open_messages)
                wait_s = None if math.isinf(due_s) else max(due_s - self._deadline.now_s, 0.0)
                cancels, self._unwanted = self._unwanted, []
                for outcome in (yield Step(sends=sends, cancels=cancels, wait_s=wait_s)):
                    if outcome.number in senders:
                        self._take(senders.pop(outcome.number), outcome)
                self._unwanted += [
                    number for number, message in senders.items() if message.response is not None
                ]
                senders = {
                    number: message
                    for number, message in senders.items()
                    if message.response is None
                }
        except BaseException:
            self._unwanted += senders
            raise
        return [message.response for message in messages]

    def _due(self, message: _Message, method: str) -> Send | None:
        """Return the attempt that is due, if any."""
        now_s = self._deadline.now_s
        if message.due_s > now_s:
            return None
        hedging = self._policy.hedging
        message.due_s = math.inf
        if message.in_flight:
            if not self._policy.hedging_budget.take():
                return None
        elif hedging is not None and not message.attempts:
            message.due_s = now_s + hedging.delay_ms / 1000.0
        message.attempts += 1
        message.in_flight += 1
        message.channel = self._policy.rotation.next(avoid=message.channel)
        return Send(
            number=next(self._numbers),
            method=method,
            payload=message.payload,
            channel=message.channel,
            timeout_s=self._deadline.remaining_s,
        )

    def _take(self, message: _Message, outcome: Outcome) -> None:
        message.in_flight -= 1
        if outcome.error is None:
            message.response = outcome.response if message.response is None else message.response
            return
        if message.response is not None:
            return
        if is_retryable(outcome.error):
            if message.in_flight:
                return  # the other of two attempts may yet answer
            wait_s = self._policy.retries.backoff_s(message.retries + 1)
            retries_left = self._policy.retries.attempts - 1 - message.retries
            if (
                retries_left > 0
                and wait_s < self._deadline.remaining_s
                and self._policy.retry_budget.take()
            ):
                message.retries += 1
                message.due_s = self._deadline.now_s + wait_s
                return
        raise self._error_of(outcome.error, message.attempts) from outcome.error


@dataclass(kw_only=True)
class _Message:
    """A message on its way.

    Attributes:
        payload: The serialized request.
        due_s: The time at which the next attempt is due, on the deadline's clock; infinite if
            something else must happen first.
        attempts: The number of attempts sent so far.
        retries: The number of attempts that followed a failure.
        in_flight: The number of attempts that may yet be answered.
        channel: The channel of the last attempt.
        response: The response, once there is one.
    """

    payload: bytes
    due_s: float
    attempts: int = 0
    retries: int = 0
    in_flight: int = 0
    channel: int | None = None
    response: Any = None

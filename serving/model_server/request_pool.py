"""The threads that answer requests, and how many requests may wait for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc

from serving.model_server.status_error import StatusError


class RequestPool(ThreadPoolExecutor):
    """A thread pool that counts its requests, so that a server can refuse early."""

    def __init__(self, threads: int, max_requests: int) -> None:
        """Start threads as they are needed.

        Args:
            threads: The number of requests answered at one time.
            max_requests: The number of requests answered or waiting at one time.
        """
        super().__init__(threads, thread_name_prefix="request")
        self._max_requests = max_requests
        self._unanswered = 0
        self._changed = threading.Condition()
        self._draining = False

    def refusal(self) -> StatusError | None:
        """Return the reason why no request can be taken on at the moment; None if one can."""
        if self._draining:
            return StatusError(grpc.StatusCode.UNAVAILABLE, "This server is shutting down.")
        if self._unanswered >= self._max_requests:
            return StatusError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"This server has {self._unanswered} requests to answer, as many as its "
                "--max-concurrent-requests allows; "
                "try again in a moment, or ask another server.",
            )
        return None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take on a request, whatever `refusal` says."""
        with self._changed:
            self._unanswered += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._answered)
        return future

    def drain(self, timeout_s: float) -> bool:
        """Let `refusal` refuse all new requests, and wait for those that were taken on.

        Args:
            timeout_s: The longest time to wait, in seconds.

        Returns:
            Whether all of it is answered.
        """
        end_s = time.monotonic() + timeout_s
        with self._changed:
            self._draining = True
            while self._unanswered and time.monotonic() < end_s:
                self._changed.wait(end_s - time.monotonic())
            return not self._unanswered

    def _answered(self, _: Future[Any]) -> None:
        with self._changed:
            self._unanswered -= 1
            self._changed.notify_all()

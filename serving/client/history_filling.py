"""Histories of a ranking request from a store, within a deadline; without them it is ranked, too.

A store works in a thread of its own, so that one that hangs holds up no request: the request goes
on without histories, and if all threads hang, so do the following ones, at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from serving.client.transport.policies import positive_ms
from serving.client.types import RankingRequest
from serving.histories.store import HistoryStore, HistoryValues

_log = logging.getLogger(__name__)
_Job = tuple[Callable[[], HistoryValues], "concurrent.futures.Future[HistoryValues]"]


@dataclass(frozen=True, kw_only=True)
class HistoryPolicy:
    """How long a client waits for histories, and how old they may be.

    Attributes:
        timeout_ms: Milliseconds after which a request goes on without histories.
        max_age_s: The largest time in seconds between the newest event of the store and the
            request; a store that is further behind counts as stale. Defaults to any.
        threads: The largest number of requests that wait for the store at a time.
    """

    timeout_ms: float = 50.0
    max_age_s: float | None = None
    threads: int = 16

    def __post_init__(self) -> None:
        positive_ms("timeout_ms", self.timeout_ms)
        if self.max_age_s is not None and not self.max_age_s >= 0.0:
            raise ValueError(f"max_age_s must be at least 0; received {self.max_age_s!r}")
        if self.threads < 1:
            raise ValueError(f"threads must be at least 1; received {self.threads!r}")


@dataclass(frozen=True, kw_only=True)
class HistoryCounts:
    """The requests of a client with a history store.

    All = filled + late + failed + stale + busy; all but the filled ones were ranked without
    histories.

    Attributes:
        filled: Requests that got their histories.
        late: Requests for which the store took too long.
        failed: Requests for which the store raised an error.
        stale: Requests for which the store was too far behind.
        busy: Requests that did not ask, since too many others were waiting for the store.
    """

    filled: int = 0
    late: int = 0
    failed: int = 0
    stale: int = 0
    busy: int = 0

    @property
    def all(self) -> int:
        """All requests."""
        return self.filled + self.late + self.failed + self.stale + self.busy


class HistoryFilling:
    """Asks a store for the histories of requests.

    Args:
        store: The store.
        policy: The deadline and the largest age.
    """

    def __init__(self, store: HistoryStore, policy: HistoryPolicy) -> None:
        self._store, self._policy = store, policy
        self._counts, self._lock = HistoryCounts(), threading.Lock()
        self._told: set[str] = set()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(policy.threads)
        self._threads: list[threading.Thread] = []

    @property
    def counts(self) -> HistoryCounts:
        """The requests so far."""
        with self._lock:
            return self._counts

    def values(self, request: RankingRequest, remaining_s: float) -> HistoryValues | None:
        """Return the histories of a request; None to rank it without. It never raises.

        Args:
            request: The request.
            remaining_s: The seconds that the whole call has left.
        """
        at_us = _at_us(request)
        answer = self._asked(request, at_us)
        if answer is None:
            return None
        try:
            values = answer.result(self._timeout_s(remaining_s))
        except Exception as error:
            self._lost(answer, error)
            return None
        return self._checked(values, at_us)

    async def awaited_values(
        self, request: RankingRequest, remaining_s: float
    ) -> HistoryValues | None:
        """Return what `values` does, without holding up the event loop."""
        at_us = _at_us(request)
        answer = self._asked(request, at_us)
        if answer is None:
            return None
        try:
            values = await asyncio.wait_for(
                asyncio.wrap_future(answer), self._timeout_s(remaining_s)
            )
        except Exception as error:
            self._lost(answer, error)
            return None
        return self._checked(values, at_us)

    def close(self) -> None:
        """Let the threads end when they have answered."""
        for _ in self._threads:
            self._jobs.put(None)

    def _timeout_s(self, remaining_s: float) -> float:
        return min(self._policy.timeout_ms / 1000.0, remaining_s)

    def _asked(
        self, request: RankingRequest, at_us: int
    ) -> concurrent.futures.Future[HistoryValues] | None:
        if not self._free.acquire(blocking=False):
            self._count("busy", f"{self._policy.threads} requests wait for it")
            return None
        with self._lock:
            if len(self._threads) < self._policy.threads:
                # A daemon, so that a store that hangs does not keep the process from ending.
                thread = threading.Thread(target=self._work, name="histories", daemon=True)
                self._threads.append(thread)
                thread.start()
        answer: concurrent.futures.Future[HistoryValues] = concurrent.futures.Future()

        def ask() -> HistoryValues:
            return self._store.features(
                request.user,
                request.context,
                [candidate.fields for candidate in request.candidates],
                at_us,
            )

        self._jobs.put((ask, answer))
        return answer

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            ask, answer = job
            try:
                values = ask()
            except BaseException as error:
                outcome = error
                with contextlib.suppress(concurrent.futures.InvalidStateError):
                    answer.set_exception(outcome)
            else:
                with contextlib.suppress(concurrent.futures.InvalidStateError):
                    answer.set_result(values)
            finally:
                self._free.release()

    def _checked(self, values: HistoryValues, at_us: int) -> HistoryValues | None:
        age_s = (at_us - values.newest_us) / 1e6
        if self._policy.max_age_s is not None and age_s > self._policy.max_age_s:
            limit_s = self._policy.max_age_s
            self._count("stale", f"its newest event is {age_s:,.0f} s old, at most {limit_s:g}")
            return None
        self._count("filled")
        return values

    def _lost(self, answer: concurrent.futures.Future[HistoryValues], error: BaseException) -> None:
        # An error of the store may be a TimeoutError, too.
        if answer.done() and not answer.cancelled() and answer.exception() is not None:
            self._count("failed", str(error) or type(error).__name__)
        else:
            self._count("late", f"no answer within {self._policy.timeout_ms:g} ms")

    def _count(self, kind: str, reason: str = "") -> None:
        with self._lock:
            changed = {kind: getattr(self._counts, kind) + 1}
            self._counts = replace(self._counts, **changed)
            is_new = bool(reason) and kind not in self._told
            self._told.add(kind)
        if is_new:
            _log.warning(
                "histories: %s: %s; such requests are ranked without histories, and counted",
                kind,
                reason,
            )


def _at_us(request: RankingRequest) -> int:
    return round((time.time() if request.at_s is None else request.at_s) * 1e6)

"""The measurements of a load test: times and outcome of each request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import grpc
import numpy as np
import numpy.typing as npt

CODES = list(grpc.StatusCode)
NOT_SENT, OPEN = -2, -1
OK, DEADLINE_EXCEEDED = (
    CODES.index(grpc.StatusCode.OK),
    CODES.index(grpc.StatusCode.DEADLINE_EXCEEDED),
)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The times and outcomes of all requests, in the order of the schedule, each (N,).

    Seconds count from the start of the test.

    Attributes:
        scheduled_s: The time at which each request was due.
        sent_s: The time at which it was sent; NaN where it was not.
        done_s: The time at which its answer or its error came; NaN where neither did.
        outcome: Its outcome: `NOT_SENT`, `OPEN` (neither answer nor error when the test ended), or
            a position in `CODES`.
    """

    scheduled_s: npt.NDArray[np.float64]
    sent_s: npt.NDArray[np.float64]
    done_s: npt.NDArray[np.float64]
    outcome: npt.NDArray[np.int8]

    @classmethod
    def of_schedule(cls, scheduled_s: npt.NDArray[np.float64]) -> Measurements:
        """Return the measurements before the first request is sent."""
        unknown = np.full_like(scheduled_s, np.nan)
        outcome = np.full(scheduled_s.shape, NOT_SENT, np.int8)
        return cls(scheduled_s=scheduled_s, sent_s=unknown, done_s=unknown.copy(), outcome=outcome)

    def part(self, requests: slice | npt.NDArray[np.bool_]) -> Measurements:
        """Return the measurements of some of the requests; a copy if they are given by a mask."""
        return Measurements(
            scheduled_s=self.scheduled_s[requests],
            sent_s=self.sent_s[requests],
            done_s=self.done_s[requests],
            outcome=self.outcome[requests],
        )

    @property
    def counts(self) -> Counts:
        """The number of requests that came to each end."""
        values, numbers = np.unique(self.outcome, return_counts=True)
        by_outcome = dict(zip(values.tolist(), numbers.tolist(), strict=True))
        failed = {
            CODES[code].name: count
            for code, count in by_outcome.items()
            if code not in (NOT_SENT, OPEN, OK)
        }
        return Counts(
            scheduled=self.outcome.size,
            not_sent=by_outcome.get(NOT_SENT, 0),
            answered=by_outcome.get(OK, 0),
            unanswered=by_outcome.get(OPEN, 0),
            failed=Counter(failed),
        )

    @property
    def latency_s(self) -> npt.NDArray[np.float64]:
        """The time from when each request was due to its answer, even if it was sent late: (N,).

        Infinite for a request without an answer in time: never sent, still open, or
        DEADLINE_EXCEEDED. NaN for one that failed otherwise: an error that comes at once says
        nothing about how long an answer takes.
        """
        return self._answer_time_s() - self.scheduled_s

    @property
    def service_time_s(self) -> npt.NDArray[np.float64]:
        """The time from when each request was sent to its answer, (N,).

        A load test that forgets the waiting before the sending sees these times only.
        """
        return np.where(self.outcome == NOT_SENT, np.nan, self._answer_time_s() - self.sent_s)

    @property
    def lag_s(self) -> npt.NDArray[np.float64]:
        """The lag of each request, sent minus due, (N,); NaN where it was not sent."""
        return self.sent_s - self.scheduled_s

    def _answer_time_s(self) -> npt.NDArray[np.float64]:
        without_answer = np.isin(self.outcome, (NOT_SENT, OPEN, DEADLINE_EXCEEDED))
        return np.where(self.outcome == OK, self.done_s, np.where(without_answer, np.inf, np.nan))


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The number of requests that came to each end.

    scheduled = sent + not_sent; sent = answered + all failed + unanswered.

    Attributes:
        scheduled: Requests that were due.
        not_sent: Requests that the generator did not get to before the test ended.
        answered: Requests that were answered with OK.
        unanswered: Requests with neither answer nor error when the test ended.
        failed: Requests that ended with an error, by the name of the gRPC code.
    """

    scheduled: int
    not_sent: int
    answered: int
    unanswered: int
    failed: Counter[str]

    @property
    def sent(self) -> int:
        """Requests that left the generator."""
        return self.scheduled - self.not_sent

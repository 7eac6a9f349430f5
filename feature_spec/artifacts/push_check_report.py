"""The report of the check before a push: serving writes it, the pipeline reads it."""

from __future__ import annotations

import json
from typing import Self

import pydantic

REPORT_FILE = "push_check.json"


class RankingLatency(pydantic.BaseModel, frozen=True):
    """The latency of ranking requests of one size, over gRPC, one after the other.

    Attributes:
        candidates: The number of candidates in each request.
        p50: The time in milliseconds within which half of the requests were answered.
        p99: The time in milliseconds within which 99 of 100 requests were answered.
    """

    candidates: int
    p50: float
    p99: float


class PushCheckReport(pydantic.BaseModel, frozen=True):
    """The findings of the check before a push.

    Attributes:
        refusals: The reasons why the version must not be pushed; empty if it may be.
        warmup_requests: The number of warm-up requests that the version carries.
        compared_requests: The number of requests whose scores were compared with the trainer's.
        largest_difference: The largest difference of a score; None if nothing was compared.
        latency_ms: The latency for each number of candidates.
        latency_budget_ms: The budget for the 99th percentile, in milliseconds.
    """

    refusals: list[str]
    warmup_requests: int
    compared_requests: int
    largest_difference: float | None
    latency_ms: list[RankingLatency]
    latency_budget_ms: float

    def to_json(self) -> str:
        """Return the report as JSON text, in which an infinite difference is ``Infinity``."""
        return json.dumps(self.model_dump(), indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a report that `to_json` wrote.

        Raises:
            pydantic.ValidationError: The text is no such report.
        """
        return cls.model_validate_json(text)

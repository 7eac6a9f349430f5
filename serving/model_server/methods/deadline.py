"""How long a run may take, given how long its caller waits."""

from __future__ import annotations

import math

import grpc

from serving.model_server.status_error import StatusError


def time_limit_s(remaining_s: float | None) -> float | None:
    """The time left to a call as a limit for a run; None where the caller waits for ever.

    Raises:
        StatusError: DEADLINE_EXCEEDED, nothing is left.
    """
    if remaining_s is None or math.isinf(remaining_s):
        return None
    if remaining_s <= 0.0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification")
    return remaining_s

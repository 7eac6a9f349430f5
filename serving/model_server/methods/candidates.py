"""A bound on the size of requests that an operator thinks in: candidates, not bytes."""

from __future__ import annotations

import grpc

from serving.model_server.status_error import StatusError


def check_candidates(candidates: int, max_candidates: int | None, where: str) -> None:
    """Refuses a request of too many candidates.

    Args:
        candidates: rows or examples of the request.
        max_candidates: how many it may have; None for any.
        where: what has so many.

    Raises:
        StatusError: RESOURCE_EXHAUSTED, as for a message that is too large.
    """
    if max_candidates is not None and candidates > max_candidates:
        raise StatusError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"{where} has {candidates} candidates, and this server's --max-candidates is {max_candidates}: "
            "send the request in parts.",
        )

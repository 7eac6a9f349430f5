"""What can go wrong between a ranking request and its ranked list.

    RankingError
    ├── InvalidRequestError          the request does not fit the spec; nothing was sent            (a ValueError)
    ├── SpecMismatchError            the served model was trained with another feature spec
    ├── UnusableModelError           the served model, or its answer, is not that of a `rank` signature
    └── ServerError                  the call failed; has the gRPC code and the server's text
        ├── DeadlineExceededError    no answer in time                                              (a TimeoutError)
        ├── ServerUnavailableError   nobody listens there, or the connection broke                  (a ConnectionError)
        ├── ModelNotFoundError       the server has no such model, or no version of it is loaded
        └── RequestRefusedError      the server or the model's graph refused the request

gRPC's errors are mapped in `server_error` and nowhere else, and stay chained as the cause.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

_MAX_PROBLEMS_SHOWN = 20


class RankingError(Exception):
    """Base of every error of the ranking client."""


class InvalidRequestError(RankingError, ValueError):
    """A request that does not fit the feature spec. Nothing was sent.

    Attributes:
        problems: one line a mistake: its place in the request, what was received and what is valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [f"  {problem}" for problem in problems[:_MAX_PROBLEMS_SHOWN]]
        if len(problems) > _MAX_PROBLEMS_SHOWN:
            shown.append(f"  … and {len(problems) - _MAX_PROBLEMS_SHOWN} more")
        count = f"{len(problems)} mistake{'s' if len(problems) > 1 else ''}"
        super().__init__("\n".join([f"the ranking request has {count}:", *shown]))
        self.problems = list(problems)


class SpecMismatchError(RankingError):
    """Client and model follow different feature specs, so the model's answer would mean something else.

    Attributes:
        client_fingerprint: of the client's spec.
        model_fingerprint: of the spec that the model was trained with.
    """

    def __init__(self, client_fingerprint: str, model_fingerprint: str) -> None:
        super().__init__(
            f"the client's feature spec has the fingerprint {client_fingerprint}, the served model was trained with "
            f"{model_fingerprint}; give the client the spec of the model (assets.extra/feature_spec.yaml in its version folder)"
        )
        self.client_fingerprint = client_fingerprint
        self.model_fingerprint = model_fingerprint


class UnusableModelError(RankingError):
    """The served model has no usable `rank` signature, or answered with something else than a score a task and candidate."""


class ServerError(RankingError):
    """A call that failed.

    Attributes:
        code: the gRPC status code.
        text: what the server, or gRPC, said.
    """

    def __init__(self, message: str, code: grpc.StatusCode, text: str) -> None:
        super().__init__(message)
        self.code = code
        self.text = text


class DeadlineExceededError(ServerError, TimeoutError):
    """No answer in time."""


class ServerUnavailableError(ServerError, ConnectionError):
    """Nobody listens at the target, or the connection broke."""


class ModelNotFoundError(ServerError):
    """The server has no such model, or no version of it is loaded."""


class RequestRefusedError(ServerError):
    """The server, or the model's graph, refused the request."""


_OF_CODE: dict[grpc.StatusCode, tuple[type[ServerError], str]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: (DeadlineExceededError, "no answer within {timeout_ms:g} ms"),
    grpc.StatusCode.UNAVAILABLE: (ServerUnavailableError, "the server cannot be reached"),
    grpc.StatusCode.NOT_FOUND: (ModelNotFoundError, "the server does not serve the model"),
    grpc.StatusCode.INVALID_ARGUMENT: (RequestRefusedError, "the server refused the request"),
    grpc.StatusCode.FAILED_PRECONDITION: (RequestRefusedError, "the server refused the request"),
    grpc.StatusCode.OUT_OF_RANGE: (RequestRefusedError, "the server refused the request"),
}


def server_error(error: grpc.RpcError, *, target: str, timeout_ms: float) -> ServerError:
    """The client's error for one of gRPC's. Raise it ``from`` that one."""
    code, text = error.code(), error.details() or ""
    kind, meaning = _OF_CODE.get(code, (ServerError, f"the call failed with {code.name}"))
    return kind(f"{target}: {meaning.format(timeout_ms=timeout_ms)}: {text}", code, text)

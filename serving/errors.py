"""The errors of the ranking client.

    RankingError
    ├── InvalidRequestError          the request does not fit the spec; nothing was sent
    ├── SpecMismatchError            the served model was trained with another feature spec
    ├── UnusableModelError           the served model, or its answer, is of no `rank` signature
    ├── MixedVersionsError           no version of the model answered all parts of the request
    ├── TlsError                     the TLS settings cannot be used; nothing was sent
    └── ServerError                  the call failed; has the gRPC code and the server's text
        ├── DeadlineExceededError    no answer in time
        ├── ServerUnavailableError   nobody listens there, or the connection broke
        ├── OverloadedError          the server has too much to do, or the message is too large
        ├── ModelNotFoundError       the server has no such model, or no version of it is loaded
        └── RequestRefusedError      the server or the model's graph refused the request

InvalidRequestError and TlsError are ValueErrors too, DeadlineExceededError is a TimeoutError, and
ServerUnavailableError a ConnectionError.

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
        problems: A line for each mistake: its place in the request, the value received, and the
            valid ones.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        shown = [f"  {problem}" for problem in problems[:_MAX_PROBLEMS_SHOWN]]
        if len(problems) > _MAX_PROBLEMS_SHOWN:
            shown.append(f"  … and {len(problems) - _MAX_PROBLEMS_SHOWN} more")
        count = f"{len(problems)} mistake{'s' if len(problems) > 1 else ''}"
        super().__init__("\n".join([f"the ranking request has {count}:", *shown]))
        self.problems = list(problems)


class SpecMismatchError(RankingError):
    """Client and model follow different feature specs, so the answer would mean something else.

    Attributes:
        client_fingerprint: The fingerprint of the client's spec.
        model_fingerprint: The fingerprint of the spec that the model was trained with.
        differences: What differs, such as ``fields.age differs in its settings``; empty if the
            model does not tell.
    """

    def __init__(
        self,
        client_fingerprint: str,
        model_fingerprint: str,
        *,
        target: str,
        model: str,
        differences: Sequence[str] = (),
    ) -> None:
        shown = list(differences[:_MAX_PROBLEMS_SHOWN])
        if len(differences) > len(shown):
            shown.append(f"{len(differences) - len(shown)} more")
        told = "; ".join(shown) or (
            "settings of a field, or the kind, label or sample space of a task differ (in a model "
            "of an earlier version also their order)"
        )
        super().__init__(
            f"{target}: model {model}: the client's feature spec has the fingerprint "
            f"{client_fingerprint}, the served model "
            f"was trained with {model_fingerprint}: {told}; give the client the spec of the model "
            "(assets.extra/feature_spec.yaml in "
            "its version folder)"
        )
        self.client_fingerprint = client_fingerprint
        self.model_fingerprint = model_fingerprint
        self.differences = list(differences)


class UnusableModelError(RankingError):
    """The served model has no usable `rank` signature, or did not answer with one score each."""


class MixedVersionsError(RankingError):
    """The parts of a request were answered by different versions, and no version answered them all.

    Attributes:
        versions: The versions that answered.
    """

    def __init__(
        self, *, versions: Sequence[int], parts: int, rounds: int, target: str, model: str
    ) -> None:
        super().__init__(
            f"{target}: model {model}: the {parts} parts of the request were answered by the "
            "versions "
            f"{', '.join(map(str, versions))}, none of which answered them all in {rounds} "
            "rounds. Let the servers behind the "
            "target reach one version, or raise max_candidates so that a request is one part."
        )
        self.versions = list(versions)


class TlsError(RankingError, ValueError):
    """TLS settings cannot be used: a file cannot be read, or a certificate lacks its key."""


class ServerError(RankingError):
    """A call that failed.

    Attributes:
        code: The gRPC status code.
        text: The text of the server, or of gRPC.
        attempts: The number of times that the message was sent.
    """

    def __init__(self, message: str, *, code: grpc.StatusCode, text: str, attempts: int) -> None:
        super().__init__(message)
        self.code = code
        self.text = text
        self.attempts = attempts


class DeadlineExceededError(ServerError, TimeoutError):
    """No answer in time."""


class ServerUnavailableError(ServerError, ConnectionError):
    """Nobody listens at the target, or the connection broke."""


class OverloadedError(ServerError):
    """The server has too much to do just now, or the message is larger than it takes."""


class ModelNotFoundError(ServerError):
    """The server has no such model, or no version of it is loaded."""


class RequestRefusedError(ServerError):
    """The server, or the model's graph, refused the request."""


_REFUSED = (
    RequestRefusedError,
    "the server refused the request to model {model}",
    "Compare the request with the model's signature (GetModelMetadata); the same request will be "
    "refused again.",
)
_OF_CODE: dict[grpc.StatusCode, tuple[type[ServerError], str, str]] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        DeadlineExceededError,
        "no answer within {timeout_ms:g} ms from model {model}",
        "Give the call more time (timeout_ms), or fewer candidates (max_candidates splits a "
        "request).",
    ),
    grpc.StatusCode.UNAVAILABLE: (
        ServerUnavailableError,
        "the server cannot be reached for model {model}",
        "Make sure that it runs, that this is its gRPC port, and that both sides use TLS or "
        "neither does.",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (
        OverloadedError,
        "the server takes no more for model {model}",
        "Send less at a time or add servers; if a size or a count is too large, lower "
        "max_candidates.",
    ),
    grpc.StatusCode.NOT_FOUND: (
        ModelNotFoundError,
        "the server does not serve model {model}",
        "Compare the name with the server's configuration, and see its log for a version that "
        "failed to load.",
    ),
    grpc.StatusCode.INVALID_ARGUMENT: _REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: _REFUSED,
    grpc.StatusCode.OUT_OF_RANGE: _REFUSED,
}


def server_error(
    error: grpc.RpcError, *, target: str, model: str, timeout_ms: float, attempts: int = 1
) -> ServerError:
    """Return the client's error for one of gRPC's. Raise it ``from`` that one.

    Args:
        error: The error of gRPC.
        target: The address of the server.
        model: The name of the model on the server.
        timeout_ms: The time limit of the call in milliseconds.
        attempts: The number of times that the message was sent.
    """
    code, text = error.code(), error.details() or "no further text"
    failed = (
        ServerError,
        f"the call to model {{model}} failed with {code.name}",
        "See the server's log.",
    )
    kind, meaning, remedy = _OF_CODE.get(code, failed)
    tried = f" ({attempts} attempts)" if attempts > 1 else ""
    said = text if text.endswith((".", "!", "?")) else f"{text}."
    message = (
        f"{target}: {meaning.format(model=model, timeout_ms=timeout_ms)}{tried}: {said} {remedy}"
    )
    return kind(message, code=code, text=text, attempts=attempts)

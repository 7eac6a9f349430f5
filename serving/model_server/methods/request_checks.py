"""Checks that the methods share: a request's ModelSpec, its size, and the time left for it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import grpc
from google.protobuf.message import Message
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.model_pb2 import ModelSpec

from feature_spec.names import SPEC_FINGERPRINT
from serving.model_server.methods.tensor_proto import dtype_name
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.version import VersionInUse

_DEFAULT_SIGNATURE = "serving_default"


def require_model_spec(request: Message) -> None:
    """Refuse a request without a ModelSpec.

    Raises:
        StatusError: The request has no ModelSpec.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def signature_name(model_spec: ModelSpec) -> str:
    """Return the name of the signature that a request asks for."""
    return model_spec.signature_name or _DEFAULT_SIGNATURE


def answering_spec(asked: ModelSpec, number: int) -> ModelSpec:
    """Return the ModelSpec of an answer.

    Args:
        asked: The ModelSpec of the request, which names model and signature.
        number: The version that answers.
    """
    return ModelSpec(
        name=asked.name, version={"value": number}, signature_name=signature_name(asked)
    )


def check_candidates(version: VersionInUse, candidates: int, where: str) -> None:
    """Refuse a request with more candidates than the version in use takes.

    The limit is a number that an operator thinks in: candidates, not bytes.

    Args:
        version: The version that is to answer, which carries the limit.
        candidates: The number of rows or examples in the request.
        where: The part of the request that has so many, for the error text.

    Raises:
        StatusError: RESOURCE_EXHAUSTED, as for a message that is too large.
    """
    if version.max_candidates is not None and candidates > version.max_candidates:
        raise StatusError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"{where} has {candidates} candidates, and this server's --max-candidates is "
            f"{version.max_candidates}: send the request in parts.",
        )


def named(error: StatusError, alias: str, inputs: Mapping[str, TensorInfo]) -> StatusError:
    """Return the error of an input with the input's name, if it is one of a ranking request.

    TensorFlow Serving names none. The texts of other signatures are the same as its own.

    Args:
        error: The error.
        alias: The name of the input.
        inputs: All inputs of the signature by name.
    """
    if SPEC_FINGERPRINT not in inputs:
        return error
    valid = dtype_name(inputs[alias].dtype)
    return StatusError(error.code, f"input {alias}: {error.text}; valid: {valid}")


def time_limit_s(remaining_s: float | None) -> float | None:
    """Return the time limit of a run, in seconds, given how long its caller waits.

    Args:
        remaining_s: The time left to the call; None or infinite if the caller waits for ever.

    Returns:
        The limit, or None for no limit.

    Raises:
        StatusError: DEADLINE_EXCEEDED; no time is left.
    """
    if remaining_s is None or math.isinf(remaining_s):
        return None
    if remaining_s <= 0.0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification")
    return remaining_s

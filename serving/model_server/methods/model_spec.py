"""A request's ModelSpec: required, read, and answered."""

from __future__ import annotations

from google.protobuf.message import Message
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.model_server.status_error import invalid_argument

_DEFAULT_SIGNATURE = "serving_default"


def require_model_spec(request: Message) -> None:
    """Refuses a request without a ModelSpec.

    Raises:
        StatusError: there is none.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


def signature_name(model_spec: ModelSpec) -> str:
    """The signature that a request asks for."""
    return model_spec.signature_name or _DEFAULT_SIGNATURE


def answering_spec(asked: ModelSpec, number: int) -> ModelSpec:
    """What answered: the model and signature of the request, and the version that it found."""
    return ModelSpec(
        name=asked.name, version={"value": number}, signature_name=signature_name(asked)
    )

"""What a REST path asks for. Paths are TensorFlow Serving's, compared without regard to case, names percent-encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.model_server.status_error import invalid_argument

_VERSION = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_PATHS = {
    "POST": re.compile(
        rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)",
        re.IGNORECASE,
    ),
    "GET": re.compile(
        rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<resource>metadata))?", re.IGNORECASE
    ),
}
_MAX_VERSION = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class RestCall:
    """A call on a model.

    Attributes:
        model_spec: the model, and the version or label, as gRPC names them.
        method: ``predict``, ``classify`` or ``regress``; empty for a GET.
        resource: ``metadata``; empty for the model's status, and for a POST.
    """

    model_spec: ModelSpec
    method: str = ""
    resource: str = ""


def read_call(http_method: str, path: str) -> RestCall:
    """What a request asks for.

    Args:
        http_method: such as GET, in capitals.
        path: as it was sent, query included.

    Raises:
        StatusError: the interface has no such path or method, or the version is too large.
    """
    pattern = _PATHS.get(http_method)
    found = pattern.fullmatch(path) if pattern else None
    method = found.groupdict().get("method", "") if found else None
    if found is None or method != (method or "").lower():
        raise invalid_argument(f"Malformed request: {http_method} {path}")
    if not found["name"]:
        raise invalid_argument("Missing model name in request.")
    spec = ModelSpec(name=unquote(found["name"]))
    if found["version"]:
        if int(found["version"]) > _MAX_VERSION:
            raise invalid_argument(f"Failed to convert version: {found['version']} to numeric.")
        spec.version.value = int(found["version"])
    if found["label"]:
        spec.version_label = unquote(found["label"])
    return RestCall(
        model_spec=spec, method=method or "", resource=found.groupdict().get("resource") or ""
    )

"""A REST call: read from its path, and answered by the functions that answer gRPC.

Paths are TensorFlow Serving's, compared without regard to case, with percent-encoded names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from serving.model_server.methods.classify import classify
from serving.model_server.methods.model_info import SIGNATURE_DEF, model_metadata, model_status
from serving.model_server.methods.predict import PredictLog, predict
from serving.model_server.methods.regress import regress
from serving.model_server.methods.request_checks import signature_name
from serving.model_server.metrics import ServerMetrics
from serving.model_server.rest.example_body import (
    classification_answer,
    read_input,
    regression_answer,
)
from serving.model_server.rest.json_text import read_object, write
from serving.model_server.rest.predict_body import answer, read_inputs, read_signature_name
from serving.model_server.status_error import invalid_argument
from serving.model_server.versions.model_registry import ModelRegistry

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
        model_spec: The model, and the version or label, as gRPC names them.
        method: ``predict``, ``classify`` or ``regress``; empty for a GET.
        resource: ``metadata``; empty for the model's status, and for a POST.
    """

    model_spec: ModelSpec
    method: str = ""
    resource: str = ""


def read_call(http_method: str, path: str) -> RestCall:
    """Read the call that a request makes from its method and path.

    Args:
        http_method: The HTTP method in capitals, such as GET.
        path: The path as it was sent, with its query.

    Raises:
        StatusError: The interface has no such path or method, or the version is too large.
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


def answer_call(
    models: ModelRegistry,
    metrics: ServerMetrics,
    call: RestCall,
    body: bytes,
    time_remaining_s: float,
    *,
    request_log: PredictLog | None = None,
) -> bytes:
    """Answer a call with JSON.

    Args:
        models: The served models.
        metrics: The metrics that count candidates.
        call: The call that the path asks for.
        body: The JSON of the request; ignored for a GET.
        time_remaining_s: Seconds until the caller gives up.
        request_log: The log that takes Predict's requests with their answers, as over gRPC.

    Raises:
        StatusError: The call is refused, with TensorFlow Serving's code and text.
    """
    if not call.method:
        return write(
            _metadata(models, call) if call.resource == "metadata" else _status(models, call)
        )
    document = read_object(body)
    call.model_spec.signature_name = read_signature_name(document)
    if call.method == "predict":
        return write(
            _predict(models, metrics, call, document, time_remaining_s, request_log=request_log)
        )
    given = read_input(document)
    with models.use(call.model_spec) as version:
        if call.method == "classify":
            classification = ClassificationRequest(model_spec=call.model_spec, input=given)
            return write(
                classification_answer(classify(version, classification, time_remaining_s).result)
            )
        regression = RegressionRequest(model_spec=call.model_spec, input=given)
        return write(regression_answer(regress(version, regression, time_remaining_s).result))


def _predict(
    models: ModelRegistry,
    metrics: ServerMetrics,
    call: RestCall,
    document: dict[str, Any],
    time_remaining_s: float,
    *,
    request_log: PredictLog | None,
) -> dict[str, Any]:
    name = signature_name(call.model_spec)
    with models.use(call.model_spec) as version:
        if name not in version.model.signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        infos = version.model.signatures[name].inputs
        if not infos:
            raise invalid_argument(
                "Failed to get input map for signature: "
                f"{call.model_spec.signature_name or 'DEFAULT'}"
            )
        layout, inputs = read_inputs(document, infos)
        request = PredictRequest(model_spec=call.model_spec, inputs=inputs)
        response = predict(version, request, time_remaining_s)
    metrics.count_candidates(request)
    if request_log is not None:
        request_log.offer(None, [request], [response])
    return answer(response, layout)


def _status(models: ModelRegistry, call: RestCall) -> dict[str, Any]:
    return _as_json(model_status(models, GetModelStatusRequest(model_spec=call.model_spec)))


def _metadata(models: ModelRegistry, call: RestCall) -> dict[str, Any]:
    """Return the signatures of a version, unpacked."""
    request = GetModelMetadataRequest(model_spec=call.model_spec, metadata_field=[SIGNATURE_DEF])
    response = model_metadata(models, request)
    signatures = SignatureDefMap()
    response.metadata[SIGNATURE_DEF].Unpack(signatures)
    return {
        "model_spec": _as_json(response.model_spec),
        "metadata": {SIGNATURE_DEF: _as_json(signatures)},
    }


def _as_json(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )

"""MultiInference: several classifications and regressions of the same examples, in one run."""

from __future__ import annotations

import grpc
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.inference_pb2 import (
    InferenceTask,
    MultiInferenceRequest,
    MultiInferenceResponse,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.model_server.methods import classify, regress
from serving.model_server.methods.example_signature import run_on_examples, serialized_examples
from serving.model_server.methods.request_checks import answering_spec, signature_name
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version import VersionInUse


def chosen_model_spec(request: MultiInferenceRequest) -> ModelSpec:
    """Return the ModelSpec that chooses the version for all tasks: the first task's."""
    return request.tasks[0].model_spec if request.tasks else ModelSpec()


def multi_inference(
    version: VersionInUse, request: MultiInferenceRequest, time_remaining_s: float | None
) -> MultiInferenceResponse:
    """Answer a request.

    Args:
        version: The version that answers, whatever model the request names.
        request: The request, which holds examples and tasks, each of one signature.
        time_remaining_s: Seconds until the caller gives up; None if never.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    if not request.tasks:
        raise invalid_argument("A MultiInferenceRequest must have at least one task.")
    signatures = _signatures(version.model, request)
    outputs = sorted({info.name for signature in signatures for info in signature.outputs.values()})
    examples = serialized_examples(version, request.input)
    tensors = run_on_examples(
        version.model, signatures[0].inputs["inputs"], examples, outputs, time_remaining_s
    )
    response = MultiInferenceResponse()
    for task, signature in zip(request.tasks, signatures, strict=True):
        result = response.results.add(model_spec=answering_spec(task.model_spec, version.number))
        if task.method_name == classify.METHOD:
            result.classification_result.CopyFrom(
                classify.classification_result(signature, tensors, len(examples))
            )
        else:
            result.regression_result.CopyFrom(
                regress.regression_result(signature, tensors, len(examples))
            )
    return response


def _signatures(model: SavedModel, request: MultiInferenceRequest) -> list[SignatureDef]:
    """Return the signature of each task. All take the same input."""
    signatures: dict[str, SignatureDef] = {}
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = signature_name(task.model_spec)
        if name in signatures:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        signatures[name] = _signature(model, task, name)
        if len({signature.inputs["inputs"].name for signature in signatures.values()}) > 1:
            raise invalid_argument("Input tensor must be the same for all Signatures.")
    return list(signatures.values())


def _signature(model: SavedModel, task: InferenceTask, name: str) -> SignatureDef:
    if task.method_name == classify.METHOD:
        return classify.classification_signature(model, name)
    if task.method_name == regress.METHOD:
        return regress.regression_signature(model, name)
    raise StatusError(
        grpc.StatusCode.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
    )

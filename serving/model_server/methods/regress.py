"""Regress: tf.Examples to one number each, by a signature with the output `outputs`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tensorflow.core.framework.types_pb2 import DT_FLOAT
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.regression_pb2 import (
    RegressionRequest,
    RegressionResponse,
    RegressionResult,
)

from serving.model_server.methods.example_signature import (
    debug_text,
    run_on_examples,
    serialized_examples,
    shape_text,
    signature_for_examples,
)
from serving.model_server.methods.request_checks import answering_spec, signature_name
from serving.model_server.status_error import invalid_argument
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version import VersionInUse

METHOD = "tensorflow/serving/regress"
OUTPUT = "outputs"


def regress(
    version: VersionInUse, request: RegressionRequest, time_remaining_s: float | None
) -> RegressionResponse:
    """Answer a request.

    Args:
        version: The version that answers, whatever model the request names.
        request: The request, which names the signature and holds the examples.
        time_remaining_s: Seconds until the caller gives up; None if never.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    signature = regression_signature(version.model, signature_name(request.model_spec))
    examples = serialized_examples(version, request.input)
    outputs = [signature.outputs[OUTPUT].name]
    tensors = run_on_examples(
        version.model, signature.inputs["inputs"], examples, outputs, time_remaining_s
    )
    return RegressionResponse(
        result=regression_result(signature, tensors, len(examples)),
        model_spec=answering_spec(request.model_spec, version.number),
    )


def regression_signature(model: SavedModel, name: str) -> SignatureDef:
    """Return the signature of a name.

    Raises:
        StatusError: The signature does not give a number for each example.
    """
    signature = signature_for_examples(model, name)
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise invalid_argument(
            f"No regression inputs found in SignatureDef: {debug_text(signature)}"
        )
    if OUTPUT not in signature.outputs:
        raise invalid_argument(
            f"No regression outputs found in SignatureDef: {debug_text(signature)}"
        )
    return signature


def regression_result(
    signature: SignatureDef, tensors: Mapping[str, np.ndarray], examples: int
) -> RegressionResult:
    """Return the result for each example, read from tensors by name.

    Raises:
        StatusError: The tensor is not one float for each example.
    """
    array = tensors[signature.outputs[OUTPUT].name]
    if not (np.ndim(array) == 1 or (np.ndim(array) == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{shape_text(array)}"
        )
    if len(array) != examples:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {examples} vs. {len(array)}"
        )
    if signature.outputs[OUTPUT].dtype != DT_FLOAT:
        raise invalid_argument("Expected output Tensor of DT_FLOAT.")
    result = RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
    return result

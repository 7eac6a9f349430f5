"""Classify: tf.Examples to labels and scores, by the outputs `classes` and `scores`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tensorflow.core.framework.types_pb2 import DT_FLOAT, DT_STRING, DataType
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow_serving.apis.classification_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    ClassificationResult,
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

METHOD = "tensorflow/serving/classify"
_DTYPES = {"classes": DT_STRING, "scores": DT_FLOAT}


def classify(
    version: VersionInUse, request: ClassificationRequest, time_remaining_s: float | None
) -> ClassificationResponse:
    """Answer a request.

    Args:
        version: The version that answers, whatever model the request names.
        request: The request, which names the signature and holds the examples.
        time_remaining_s: Seconds until the caller gives up; None if never.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    signature = classification_signature(version.model, signature_name(request.model_spec))
    examples = serialized_examples(version, request.input)
    outputs = [info.name for info in classification_outputs(signature).values()]
    tensors = run_on_examples(
        version.model, signature.inputs["inputs"], examples, outputs, time_remaining_s
    )
    return ClassificationResponse(
        result=classification_result(signature, tensors, len(examples)),
        model_spec=answering_spec(request.model_spec, version.number),
    )


def classification_signature(model: SavedModel, name: str) -> SignatureDef:
    """Return the signature of a name.

    Raises:
        StatusError: The signature does not classify examples.
    """
    signature = signature_for_examples(model, name)
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(
            f"Expected one or two output Tensors, found {len(signature.outputs)}"
        )
    if "inputs" not in signature.inputs:
        raise invalid_argument(
            f"No classification inputs found in SignatureDef: {debug_text(signature)}"
        )
    if not classification_outputs(signature):
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or '
            '"scores". '
            f"Signature was: {debug_text(signature)}"
        )
    return signature


def classification_outputs(signature: SignatureDef) -> dict[str, TensorInfo]:
    """Return the outputs `classes` and `scores`, as far as the signature has them."""
    return {alias: signature.outputs[alias] for alias in _DTYPES if alias in signature.outputs}


def classification_result(
    signature: SignatureDef, tensors: Mapping[str, np.ndarray], examples: int
) -> ClassificationResult:
    """Return the result for each example, read from tensors by name.

    Raises:
        StatusError: A tensor is not of shape (examples, classes), or has the wrong dtype.
    """
    columns = {}
    for alias, info in classification_outputs(signature).items():
        array = tensors[info.name]
        if np.ndim(array) != 2:
            raise invalid_argument(
                f"Expected Tensor shape: [batch_size num_classes] but got {shape_text(array)}"
            )
        if info.dtype != _DTYPES[alias]:
            expected, received = DataType.Name(_DTYPES[alias]), DataType.Name(info.dtype)
            raise invalid_argument(f"Expected {alias} Tensor of type {expected}. Got: {received}")
        if len(array) != examples:
            raise invalid_argument(
                f"Expected {alias} output batch size of {examples}. Got: {len(array)}"
            )
        columns[alias] = array.tolist()
    widths = [tensors[info.name].shape[1] for info in classification_outputs(signature).values()]
    if len(set(widths)) > 1:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
        )
    result = ClassificationResult()
    for row in range(examples):
        classes = result.classifications.add().classes
        for column in range(widths[0]):
            entry = classes.add()
            if "classes" in columns:
                entry.label = columns["classes"][row][column].decode(errors="replace")
            if "scores" in columns:
                entry.score = columns["scores"][row][column]
    return result

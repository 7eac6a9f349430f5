"""The input that Classify, Regress and MultiInference share: serialized tf.Examples.

The checks and texts are TensorFlow Serving's. Like it, and unlike Predict, these calls look at the
shape of a signature and not at its method name, so that the signatures of TensorFlow 2, whose
method is always Predict, can be called.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from google.protobuf import text_format
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DT_STRING
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo
from tensorflow_serving.apis.input_pb2 import Input

from serving.model_server.methods.request_checks import check_candidates, time_limit_s
from serving.model_server.methods.tensor_proto import dtype_name
from serving.model_server.status_error import invalid_argument
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.version import VersionInUse


def signature_for_examples(model: SavedModel, name: str) -> SignatureDef:
    """Return the signature of a name, which must have one input.

    Raises:
        StatusError: No signature has that name, or it has another number of inputs or no dense
            tensors.
    """
    if name not in model.signatures:
        raise invalid_argument(f"No signature was found with the name: {name}")
    signature = model.signatures[name]
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if not model.runnable(name):
        raise invalid_argument(f"Signature {name} takes or gives tensors that are not dense.")
    return signature


def debug_text(signature: SignatureDef) -> str:
    """Return a signature as C++ prints it, with the mark that keeps people from parsing it."""
    return "goo.gle/debugonly  \n" + text_format.MessageToString(signature)


def serialized_examples(version: VersionInUse, examples: Input) -> list[bytes]:
    """Return the serialized examples of a request, each merged with the context that they share.

    A feature of the example itself takes precedence over one of the context.

    Raises:
        StatusError: The request has no examples, or more than the version takes.
    """
    kind = examples.WhichOneof("kind")
    if kind == "example_list":
        serialized = [example.SerializeToString() for example in examples.example_list.examples]
    elif kind == "example_list_with_context":
        # Protos written one after the other merge: of two features of one name the later, the
        # example's, stays.
        context = examples.example_list_with_context.context.SerializeToString()
        serialized = [
            context + example.SerializeToString()
            for example in examples.example_list_with_context.examples
        ]
    else:
        serialized = []
    if not serialized:
        raise invalid_argument("Input is empty.")
    check_candidates(version, len(serialized), "input")
    return serialized


def run_on_examples(
    model: SavedModel,
    examples_end: TensorInfo,
    serialized: list[bytes],
    outputs: Sequence[str],
    time_remaining_s: float | None,
) -> dict[str, np.ndarray]:
    """Run a model on examples.

    Args:
        model: The model to run.
        examples_end: The input that takes the examples.
        serialized: The serialized examples.
        outputs: The names in the graph of the tensors to return.
        time_remaining_s: Seconds until the caller gives up; None if never.

    Returns:
        The tensors by name.

    Raises:
        StatusError: The input does not take texts, the graph refused them, or the time was over.
    """
    if examples_end.dtype != DT_STRING:
        raise invalid_argument(
            f"Expects arg[0] to be {dtype_name(examples_end.dtype)} but string is provided"
        )
    proto = TensorProto(dtype=DT_STRING, string_val=serialized)
    proto.tensor_shape.dim.add(size=len(serialized))
    arrays = model.run_tensors({examples_end.name: proto}, outputs, time_limit_s(time_remaining_s))
    return dict(zip(outputs, arrays, strict=True))


def shape_text(array: np.ndarray) -> str:
    """Return a shape as the runtime prints it."""
    return "[" + ",".join(map(str, np.shape(array))) + "]"

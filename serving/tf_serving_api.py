"""The message types of TensorFlow Serving's API, without TensorFlow.

The classes in `tensorflow_serving.apis` import `tensorflow.core.framework`, and so all of
TensorFlow: some ten seconds and half a gigabyte for a client that needs a few message types. Here
the descriptors are read out of the installed packages' generated ``*_pb2.py`` files and built in a
pool of their own, so that the messages are those of the installed versions to the byte, nothing is
imported, and a process that imports TensorFlow as well sees no conflict.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_pool = descriptor_pool.DescriptorPool()
_XLA = "tensorflow/compiler/"  # the package that has the generated files of xla/
_BUNDLED = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb for module in (any_pb2, wrappers_pb2)
}


def _message(file: str, name: str) -> type[Any]:
    """The class of a message, given its .proto file and full name."""
    _add(file)
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


@cache
def _add(file: str) -> None:
    """Puts a .proto file into the pool, after the files that it imports."""
    serialized = _BUNDLED.get(file) or _generated_descriptor(file)
    for dependency in descriptor_pb2.FileDescriptorProto.FromString(serialized).dependency:
        _add(dependency)
    _pool.AddSerializedFile(serialized)


def _generated_descriptor(file: str) -> bytes:
    """The descriptor in the module that the protocol compiler generated of a .proto file, read without running it."""
    package, _, path = (_XLA + file if file.startswith("xla/") else file).partition("/")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"the package {package} is not installed; the client needs it for {file}")
    module = Path(found.submodule_search_locations[0]) / path.replace(".proto", "_pb2.py")
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "AddSerializedFile"
        ):
            return bytes(ast.literal_eval(node.args[0]))
    raise ImportError(
        f"{module} holds no descriptor; the client cannot use this version of {package}"
    )


_PREDICT, _METADATA = (
    "tensorflow_serving/apis/predict.proto",
    "tensorflow_serving/apis/get_model_metadata.proto",
)
_LOG = "tensorflow_serving/apis/prediction_log.proto"

PredictRequest = _message(_PREDICT, "tensorflow.serving.PredictRequest")
PredictResponse = _message(_PREDICT, "tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message(_METADATA, "tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message(_METADATA, "tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap = _message(_METADATA, "tensorflow.serving.SignatureDefMap")
PredictionLog = _message(_LOG, "tensorflow.serving.PredictionLog")
TensorProto = _message("tensorflow/core/framework/tensor.proto", "tensorflow.TensorProto")

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"

_DTYPES = _pool.FindEnumTypeByName("tensorflow.DataType").values_by_name
DT_FLOAT, DT_STRING = _DTYPES["DT_FLOAT"].number, _DTYPES["DT_STRING"].number

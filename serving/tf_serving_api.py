"""The message types of TensorFlow Serving's API, without TensorFlow.

The classes in `tensorflow_serving.apis` import `tensorflow.core.framework`, and so all of
TensorFlow: some ten seconds and half a gigabyte for a client that needs a few message types. Here
the types are built from `tf_serving_api.binpb`, a FileDescriptorSet that `make protos` takes from
the installed packages. They lie in a pool of their own, so that a process that imports TensorFlow
as well sees no conflict.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FILE = Path(__file__).with_suffix(".binpb")


def _filled_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in descriptor_pb2.FileDescriptorSet.FromString(_FILE.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_pool = _filled_pool()


def _message(name: str) -> type[Any]:
    """Return the class of a message, given its full name."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")
PredictionLog = _message("tensorflow.serving.PredictionLog")
TensorProto = _message("tensorflow.TensorProto")

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"

_DTYPES = _pool.FindEnumTypeByName("tensorflow.DataType").values_by_name
DT_FLOAT, DT_DOUBLE, DT_STRING = (
    _DTYPES[name].number for name in ("DT_FLOAT", "DT_DOUBLE", "DT_STRING")
)

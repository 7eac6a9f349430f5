"""TensorProtos: which of them the runtime can read, and how an array becomes one."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

_MAX_RANK = 254
# One given value stands for all elements, so a request of a few bytes could ask for any amount of memory.
MAX_REPEATED_ELEMENTS = 2**26

FIELD_OF_DTYPE = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.int64: "int64_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}
_RUNTIME_NAMES = {tf.float32: "float", tf.float64: "double", tf.float16: "half"}


def dtype_name(dtype: int) -> str:
    """What the runtime calls a `DataType` in its errors: ``float`` where Python says ``float32``."""
    known = tf.dtypes.as_dtype(dtype)
    return _RUNTIME_NAMES.get(known, known.name)


def is_readable(proto: TensorProto) -> bool:
    """Whether the runtime can make a tensor of this proto. Too few values are no obstacle: the last one is repeated."""
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
    except TypeError:
        return False
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if dtype not in FIELD_OF_DTYPE or proto.tensor_shape.unknown_rank or len(sizes) > _MAX_RANK or min(sizes, default=0) < 0:
        return False
    elements = math.prod(sizes)
    if elements == 0:
        return True
    if not proto.tensor_content:
        return elements <= max(MAX_REPEATED_ELEMENTS, len(getattr(proto, FIELD_OF_DTYPE[dtype])))
    if dtype == tf.string:
        return _has_readable_string_content(proto)
    return len(proto.tensor_content) == elements * dtype.size


def _has_readable_string_content(proto: TensorProto) -> bool:
    try:
        with tf.device("CPU"):
            tf.io.parse_tensor(proto.SerializeToString(), tf.string)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def to_proto(array: np.ndarray, dtype: int, as_content: bool = False) -> TensorProto:
    """The proto of an array.

    Args:
        array: the values.
        dtype: their `DataType`.
        as_content: whether numbers come as the bytes that they are in memory, and not in the repeated field of their type.
    """
    proto = TensorProto(dtype=dtype)
    proto.tensor_shape.SetInParent()
    for size in np.shape(array):
        proto.tensor_shape.dim.add(size=size)
    field = FIELD_OF_DTYPE[tf.dtypes.as_dtype(dtype)]
    values = np.ravel(array)
    if as_content and field != "string_val":
        proto.tensor_content = values.tobytes()
        return proto
    if field == "half_val":
        values = values.view(np.uint16)
    getattr(proto, field).extend(values.tolist())
    return proto

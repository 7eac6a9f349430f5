"""TensorProtos: which of them the runtime can read, and how an array becomes one."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

_MAX_RANK = 254
# The last value given stands for all that follow, so a request of a few bytes could ask for any
# amount of memory.
MAX_REPEATED_BYTES = 2**26
# A tensor without elements may still declare so many rows that the graph makes something else of
# that many.
_MAX_EMPTY_SIZE = 2**26
_BYTES_OF_A_TEXT = 24

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
    """Return the runtime's name of a `DataType`: ``float`` where Python says ``float32``."""
    known = tf.dtypes.as_dtype(dtype)
    return _RUNTIME_NAMES.get(known, known.name)


def repeated_bytes(proto: TensorProto) -> int | None:
    """Return the memory that a tensor takes beyond the values in its proto.

    A proto may hold too few values; the last one is repeated.

    Returns:
        The bytes; None if the runtime cannot make a tensor of this proto, or should not.
    """
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
    except TypeError:
        return None
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if (
        dtype not in FIELD_OF_DTYPE
        or proto.tensor_shape.unknown_rank
        or len(sizes) > _MAX_RANK
        or min(sizes, default=0) < 0
    ):
        return None
    elements = math.prod(sizes)
    if elements == 0:
        return 0 if max(sizes) <= _MAX_EMPTY_SIZE else None
    if proto.tensor_content:
        return 0 if _fills(proto.tensor_content, elements, dtype) else None
    values = getattr(proto, FIELD_OF_DTYPE[dtype])
    size = (
        dtype.size if dtype != tf.string else _BYTES_OF_A_TEXT + len(values[-1] if values else b"")
    )
    repeated = max(elements - len(values), 0) * size
    return repeated if repeated <= MAX_REPEATED_BYTES else None


def _fills(content: bytes, elements: int, dtype: tf.DType) -> bool:
    """Return whether the content holds exactly so many elements; a text takes a byte at least."""
    if dtype != tf.string:
        return len(content) == elements * dtype.size
    return elements <= len(content) and _is_list_of_texts(content, elements)


def _is_list_of_texts(content: bytes, elements: int) -> bool:
    proto = TensorProto(dtype=tf.string.as_datatype_enum, tensor_content=content)
    proto.tensor_shape.dim.add(size=elements)
    try:
        with tf.device("CPU"):
            tf.io.parse_tensor(proto.SerializeToString(), tf.string)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def to_proto(array: np.ndarray, dtype: int, as_content: bool = False) -> TensorProto:
    """Return the proto of an array.

    Args:
        array: The values.
        dtype: Their `DataType`.
        as_content: Whether numbers are packed as bytes, instead of in the repeated field of their
            type.
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

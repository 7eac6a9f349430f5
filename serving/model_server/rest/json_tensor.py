"""Tensors as JSON: nested lists of numbers, truth values, texts, or {"b64": …} for other bytes.

A right value is checked a level of lists at a time, without a step of Python for each number. A
wrong one is walked through again, for the text that names its first mistake as TensorFlow Serving
does.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving.model_server.methods.tensor_proto import FIELD_OF_DTYPE, dtype_name
from serving.model_server.rest.json_text import json_error, shown
from serving.model_server.status_error import StatusError, invalid_argument

_BASE64_KEY = "b64"
_BYTES_SUFFIX = "_bytes"
_MAX_RANK = 254
_JSON_TYPES: dict[type, str] = {type(None): "Null", dict: "Object", list: "Array", str: "String"}

# The dtypes beside texts that JSON has a form for, and what values are read as: TensorFlow Serving
# reads short integers as int32 and keeps the lowest bits.
_READ_AS = {
    tf.float32: np.float64,
    tf.float64: np.float64,
    tf.int8: np.int32,
    tf.int16: np.int32,
    tf.int32: np.int32,
    tf.int64: np.int64,
    tf.uint8: np.int32,
    tf.uint32: np.uint32,
    tf.uint64: np.uint64,
    tf.bool: np.bool_,
}


def is_base64(value: Any) -> bool:
    """Return whether a JSON value stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_BASE64_KEY), str)


def decode_base64(value: dict[str, str]) -> bytes:
    """Return the bytes that a JSON value stands for.

    Raises:
        StatusError: The text of the value is not base64.
    """
    text = re.sub(r"\s", "", value[_BASE64_KEY])
    try:
        return base64.b64decode(
            text if text.endswith(("=", ".")) else text + "=" * (-len(text) % 4), validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def shape_of(value: Any) -> list[int]:
    """Return the shape of a JSON value, judged by the first element of each list."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def to_tensor(value: Any, dtype: int) -> TensorProto:
    """Return the tensor of a JSON value.

    Raises:
        StatusError: The value is no tensor of that dtype.
    """
    shape, leaves = _flat(value)
    tensor = TensorProto(dtype=dtype)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.SetInParent()
    if leaves is None or not _fill(tensor, leaves):
        raise first_mistake(value, shape_of(value), dtype) or AssertionError(
            "refused although there is no mistake"
        )
    return tensor


def _flat(value: Any) -> tuple[list[int], list[Any] | None]:
    """Return the shape of nested lists, and their leaves.

    The leaves are None if the lists are not all of one size and depth.
    """
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        sizes = set(map(len, level)) if set(map(type, level)) == {list} else set()
        if len(sizes) != 1 or len(shape) == _MAX_RANK:
            return shape, None
        shape.append(len(level[0]))
        level = list(chain.from_iterable(level))
    return shape, level


def _fill(tensor: TensorProto, leaves: list[Any]) -> bool:
    """Put values into a tensor; return False if one of them is not of its dtype."""
    dtype = tf.dtypes.as_dtype(tensor.dtype)
    kinds = set(map(type, leaves))
    if dtype == tf.string:
        if kinds <= {str}:
            tensor.string_val.extend(map(str.encode, leaves))
            return True
        if all(isinstance(leaf, str) or is_base64(leaf) for leaf in leaves):
            tensor.string_val.extend(
                leaf.encode() if isinstance(leaf, str) else decode_base64(leaf) for leaf in leaves
            )
            return True
        return False
    read_as = _READ_AS.get(dtype)
    if read_as is None or not kinds <= _kinds(dtype):
        return not leaves
    try:
        values: np.ndarray = np.array(leaves, read_as)
    except OverflowError:
        return False
    with np.errstate(over="ignore"):  # a double beyond float32 is infinite
        tensor.tensor_content = values.astype(dtype.as_numpy_dtype).tobytes()
    return True


def _kinds(dtype: tf.DType) -> set[type]:
    """Return the Python types that a tensor of numbers or truth values takes."""
    if dtype == tf.bool:
        return {bool}
    return {int, float} if dtype.is_floating else {int}


def first_mistake(
    value: Any, shape: Sequence[int], dtype: int, level: int = 0
) -> StatusError | None:
    """Return the first mistake that keeps a JSON value from being a tensor, if any."""
    if level > _MAX_RANK:
        return invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {_MAX_RANK}"
        )
    if not isinstance(value, list):
        if level != len(shape):
            text = (
                f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: "
                f"{len(shape)}"
            )
            return json_error(value, text)
        return _mistake_in_leaf(value, dtype)
    if level >= len(shape):
        return invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        return invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    return next(
        filter(None, (first_mistake(element, shape, dtype, level + 1) for element in value)), None
    )


def _mistake_in_leaf(value: Any, dtype: int) -> StatusError | None:
    try:
        if _fill(TensorProto(dtype=dtype), [value]):
            return None
    except StatusError as error:
        return error
    known = tf.dtypes.as_dtype(dtype)
    if known == tf.string and isinstance(value, dict):
        return json_error(value, "not formatted correctly for base64 data")
    if known == tf.string or known in _READ_AS or isinstance(value, dict):
        return json_error(
            value, f"Type: {json_type(value)} is not of expected type: {dtype_name(dtype)}"
        )
    text = f"Conversion of JSON Value: {shown(value)} to type: {dtype_name(dtype)}"
    return StatusError(grpc.StatusCode.UNIMPLEMENTED, text)


def json_type(value: Any) -> str:
    """Return TensorFlow Serving's name for the type of a JSON value."""
    if isinstance(value, bool):
        return str(value)
    return _JSON_TYPES.get(type(value), "Number")


def from_tensor(name: str, tensor: TensorProto) -> np.ndarray:
    """Return the values of an output, as an array that `json_text.write` takes.

    Args:
        name: The output's name; one that ends in ``_bytes`` is given as base64.
        tensor: The output's values, in the repeated field of their type.

    Raises:
        StatusError: JSON has no form for the dtype.
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    dtype = tf.dtypes.as_dtype(tensor.dtype)
    if dtype == tf.string:
        texts = np.empty(math.prod(shape), object)
        texts[:] = [
            _text(value, as_base64=name.endswith(_BYTES_SUFFIX)) for value in tensor.string_val
        ]
        return texts.reshape(shape)
    if dtype not in _READ_AS:
        raise invalid_argument(
            f"Failed to write JSON value for tensor type: {dtype_name(tensor.dtype)}"
        )
    return np.array(getattr(tensor, FIELD_OF_DTYPE[dtype]), dtype.as_numpy_dtype).reshape(shape)


def _text(value: bytes, *, as_base64: bool) -> str | dict[str, str]:
    """Return a text, or base64 if asked for or if the bytes are no text."""
    if not as_base64:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {_BASE64_KEY: base64.b64encode(value).decode()}

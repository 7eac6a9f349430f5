"""Python values to TensorProtos and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from serving.tf_serving_api import DT_DOUBLE, DT_FLOAT, DT_STRING, TensorProto

if TYPE_CHECKING:
    import numpy as np


def float_tensor(values: Sequence[float] | np.ndarray, shape: Sequence[int]) -> Any:
    """Make a float32 tensor whose values are packed as bytes."""
    content = (
        values.astype("<f4").tobytes()
        if hasattr(values, "astype")
        else struct.pack(f"<{len(values)}f", *values)
    )
    return _shaped(TensorProto(dtype=DT_FLOAT, tensor_content=content), shape)


def text_tensor(values: Iterable[bytes], shape: Sequence[int]) -> Any:
    """Make a string tensor of UTF-8 texts."""
    return _shaped(TensorProto(dtype=DT_STRING, string_val=values), shape)


def shape_of(tensor: Any) -> list[int]:
    """Return the size of each dimension."""
    return [dim.size for dim in tensor.tensor_shape.dim]


def rows(tensor: Any, start: int, stop: int) -> Any:
    """Return rows `start` to `stop` of a tensor of `float_tensor` or `text_tensor`, (C, …)."""
    _, *inner = shape_of(tensor)
    size = math.prod(inner)
    if tensor.dtype == DT_FLOAT:
        part = TensorProto(
            dtype=DT_FLOAT, tensor_content=tensor.tensor_content[4 * start * size : 4 * stop * size]
        )
    else:
        part = TensorProto(
            dtype=DT_STRING, string_val=tensor.string_val[start * size : stop * size]
        )
    return _shaped(part, [stop - start, *inner])


def floats(tensor: Any) -> list[float]:
    """Return the values of a tensor of float32 or float64, packed or in a repeated field.

    The last value of a repeated field stands for all values that are left out.

    Raises:
        ValueError: There are more or fewer bytes than the shape asks for.
    """
    count = math.prod(shape_of(tensor))
    size, code = (8, "d") if tensor.dtype == DT_DOUBLE else (4, "f")
    if tensor.tensor_content:
        try:
            return list(struct.unpack(f"<{count}{code}", tensor.tensor_content))
        except struct.error as error:
            raise ValueError(
                f"{len(tensor.tensor_content)} bytes for {count} numbers of {size} bytes"
            ) from error
    field = tensor.double_val if tensor.dtype == DT_DOUBLE else tensor.float_val
    values = list(field[:count]) or [0.0]
    return values + [values[-1]] * (count - len(values))


def _shaped(proto: Any, shape: Sequence[int]) -> Any:
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto

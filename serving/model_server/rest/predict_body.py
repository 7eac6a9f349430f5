"""The bodies of Predict, in rows or in columns.

Rows are {"instances": […]} → {"predictions": […]}; columns are {"inputs": …} → {"outputs": …}.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from serving.model_server.methods.request_checks import named
from serving.model_server.rest.json_tensor import (
    first_mistake,
    from_tensor,
    is_base64,
    shape_of,
    to_tensor,
)
from serving.model_server.rest.json_text import json_error, shown
from serving.model_server.status_error import StatusError, invalid_argument

Infos = Mapping[str, TensorInfo]


class Layout(enum.Enum):
    """The layout of tensors in a body: a row per element of the first dimension, or whole."""

    ROWS = "instances"
    COLUMNS = "inputs"


def read_signature_name(body: dict[str, Any]) -> str:
    """Return the name of the signature that a body asks for; empty for the default.

    Raises:
        StatusError: The name is no text.
    """
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise json_error(
            body, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read_inputs(body: dict[str, Any], infos: Infos) -> tuple[Layout, dict[str, TensorProto]]:
    """Read the inputs of a signature from a body.

    Args:
        body: The JSON object, which holds ``instances`` or ``inputs``.
        infos: The inputs that the signature declares, by name. All are needed: REST knows no
            signature defaults.

    Raises:
        StatusError: The body does not hold exactly these inputs.
    """
    if "instances" in body and "inputs" in body:
        text = (
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
        raise json_error(body, text)
    if "instances" in body:
        rows = body["instances"]
        if not isinstance(rows, list):
            raise json_error(body, "Expecting 'instances' to be an list/array")
        if not rows:
            raise json_error(body, "No values in 'instances' array")
        return Layout.ROWS, _from_rows(rows, infos)
    if "inputs" in body:
        return Layout.COLUMNS, _from_columns(body["inputs"], infos)
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _from_columns(columns: Any, infos: Infos) -> dict[str, TensorProto]:
    if not _is_named(columns):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        return {name: to_tensor(columns, info.dtype) for name, info in infos.items()}
    tensors = {}
    for name, info in sorted(infos.items()):
        if name not in columns:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        try:
            tensors[name] = to_tensor(columns[name], info.dtype)
        except StatusError as error:
            raise named(error, name, infos) from error
    return tensors


def _from_rows(rows: list[Any], infos: Infos) -> dict[str, TensorProto]:
    """Make tensors of rows.

    Rows are right if their columns are. Only wrong rows are checked one by one.
    """
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    try:
        if _is_named(rows[0]):
            if all(_is_named(row) and row.keys() == infos.keys() for row in rows):
                return {
                    name: to_tensor([row[name] for row in rows], info.dtype)
                    for name, info in infos.items()
                }
        elif not any(_is_named(row) for row in rows):
            name = min(infos)
            return {name: to_tensor(rows, infos[name].dtype)}
    except StatusError:
        pass
    raise _mistake_in_rows(rows, infos)


def _mistake_in_rows(rows: list[Any], infos: Infos) -> StatusError:
    """Return the first mistake in rows that hold one."""
    named = _is_named(rows[0])
    shapes: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        if _is_named(row) != named:
            text = (
                "Expecting object but got list" if named else "Expecting value/list but got object"
            )
            return invalid_argument(f"{text} at item {position} of input list")
        for name, value in (row if named else {min(infos): row}).items():
            mistake = _mistake_in_item(name, value, infos, shapes)
            if mistake:
                key = f" key: {name}" if named else ""
                return invalid_argument(
                    f"Failed to process element: {position}{key} of 'instances' list. "
                    f"Error: {mistake.code.name}: {mistake.text}"
                )
        if named and row.keys() != infos.keys():
            return invalid_argument(
                f"Failed to process element: {position} of 'instances' list. JSON object: "
                f"{shown(row)} "
                f"keys must be equal to: {','.join(sorted(infos))}"
            )
    raise AssertionError("refused although there is no mistake")


def _mistake_in_item(
    name: str, value: Any, infos: Infos, shapes: dict[str, list[int]]
) -> StatusError | None:
    if name not in infos:
        return invalid_argument(f"JSON object: does not have named input: {name}")
    shape = shape_of(value)
    mistake = first_mistake(value, shape, infos[name].dtype)
    expected = shapes.setdefault(name, shape)
    if mistake or shape == expected:
        return mistake
    sizes = [int(np.prod(of, dtype=np.int64)) for of in (expected, shape)]
    if sizes[0] != sizes[1]:
        return invalid_argument(f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}")
    return invalid_argument(
        f"Expecting shape {_shape_text(expected)} but got: {_shape_text(shape)}"
    )


def _shape_text(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _is_named(value: Any) -> bool:
    """Return whether a value holds tensors by name."""
    return isinstance(value, dict) and not is_base64(value)


def answer(response: PredictResponse, layout: Layout) -> dict[str, Any]:
    """Return the JSON document of a response: the values alone if there is only one output.

    Raises:
        StatusError: An output has no form in JSON, or outputs in rows differ in their number of
            rows.
    """
    arrays = {name: from_tensor(name, response.outputs[name]) for name in sorted(response.outputs)}
    if layout is Layout.COLUMNS:
        return {"outputs": arrays if len(arrays) > 1 else next(iter(arrays.values()))[()]}
    rows: int | None = None
    for name, array in arrays.items():
        if not array.ndim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if rows not in (None, len(array)):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {rows}"
            )
        rows = len(array)
    if len(arrays) == 1:
        return {"predictions": next(iter(arrays.values()))}
    return {
        "predictions": [
            dict(zip(arrays, row, strict=True)) for row in zip(*arrays.values(), strict=True)
        ]
    }

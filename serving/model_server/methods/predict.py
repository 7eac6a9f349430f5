"""Predict: a request checked in TensorFlow Serving's order, run, and answered.

The order is model spec, servable, signature, number of inputs, their names and protos, output
filter, and then what the runtime itself checks: dtypes, and shapes inside the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import grpc
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from serving.model_server.methods.request_checks import (
    answering_spec,
    check_candidates,
    named,
    signature_name,
    time_limit_s,
)
from serving.model_server.methods.tensor_proto import (
    MAX_REPEATED_BYTES,
    dtype_name,
    repeated_bytes,
    to_proto,
)
from serving.model_server.status_error import StatusError, invalid_argument
from serving.model_server.versions.version import VersionInUse


class PredictLog(Protocol):
    """Takes requests and their answers, without waiting and without raising."""

    def offer(
        self, request_id: str | int | None, payloads: Sequence[Any], responses: Sequence[Any]
    ) -> None:
        """Take the messages of one request."""


def predict(
    version: VersionInUse,
    request: PredictRequest,
    time_remaining_s: float | None,
    *,
    as_tensor_content: bool = False,
) -> PredictResponse:
    """Answer a request.

    Args:
        version: The version that answers, whatever model the request names.
        request: The request, which holds the inputs of one signature.
        time_remaining_s: Seconds until the caller gives up; None if never.
        as_tensor_content: Whether numbers are answered as bytes, instead of one by one.

    Raises:
        StatusError: The request is refused, with TensorFlow Serving's code and text.
    """
    name = signature_name(request.model_spec)
    if not version.model.runnable(name):
        raise StatusError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )
    signature = version.model.signatures[name]
    inputs = _inputs(version, signature, request)
    outputs = _outputs(signature, request.output_filter)
    _check_dtypes(signature, inputs)
    arrays = version.model.run(name, inputs, outputs, time_limit_s(time_remaining_s))
    response = PredictResponse(model_spec=answering_spec(request.model_spec, version.number))
    for alias, array in zip(outputs, arrays, strict=True):
        response.outputs[alias].CopyFrom(
            to_proto(array, signature.outputs[alias].dtype, as_tensor_content)
        )
    return response


def _inputs(
    version: VersionInUse, signature: SignatureDef, request: PredictRequest
) -> dict[str, TensorProto]:
    """Return a readable proto for every input, from the request or the signature's defaults."""
    sent, declared = set(request.inputs), set(signature.inputs)
    if len(sent) > len(declared) or (len(sent) < len(declared) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(declared)} len({_set(sent)}) "
            f"!= len({_set(declared)}). "
            f"Sent extra: {_set(sent - declared)}. Missing but required: {_set(declared - sent)}."
        )
    protos, room_bytes = {}, MAX_REPEATED_BYTES
    for alias in sorted(declared):
        if alias in sent:
            proto = request.inputs[alias]
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not "
                "found in request and no "
                f"default value provided. Inputs expected to be in the request {_set(sent)}, or "
                "default input alias set: "
                f"{','.join(sorted(signature.defaults))}"
            )
        repeated = repeated_bytes(proto)
        if repeated is None or repeated > room_bytes:
            raise invalid_argument(f"tensor parsing error: {alias}")
        room_bytes -= repeated
        check_candidates(version, _rows(proto), f"input {alias}")
        protos[alias] = proto
    if sent - declared:
        used, received = ",".join(sorted(sent & declared)), ",".join(sorted(sent))
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {used}, request input: {received}"
        )
    return protos


def _rows(proto: TensorProto) -> int:
    return proto.tensor_shape.dim[0].size if proto.tensor_shape.dim else 1


def _outputs(signature: SignatureDef, output_filter: Sequence[str]) -> list[str]:
    """Return the outputs to answer with: those of the filter, or all."""
    chosen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(set(signature.outputs))}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return chosen or sorted(signature.outputs)


def _check_dtypes(signature: SignatureDef, inputs: dict[str, TensorProto]) -> None:
    for position, alias in enumerate(sorted(inputs)):
        expected, received = signature.inputs[alias].dtype, inputs[alias].dtype
        if expected != received:
            text = (
                f"Expects arg[{position}] to be {dtype_name(expected)} but {dtype_name(received)} "
                "is provided"
            )
            raise named(invalid_argument(text), alias, signature.inputs)


def _set(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"

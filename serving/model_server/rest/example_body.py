"""The bodies of Classify and Regress: {"context": {…}, "examples": [{…}]} → {"results": […]}."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.model_server.rest.json_tensor import decode_base64, is_base64, json_type
from serving.model_server.rest.json_text import json_error
from serving.model_server.status_error import invalid_argument

_LISTS = {"bytes": "bytes_list", "float": "float_list", "int64": "int64_list"}


def read_input(body: dict[str, Any]) -> Input:
    """Return the examples of a body, with their shared context.

    Raises:
        StatusError: The body holds no examples, or a value that no example can.
    """
    given = Input()
    if "context" in body:
        _read_example(body["context"], given.example_list_with_context.context)
    if "examples" not in body:
        raise json_error(
            body, "When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(body["examples"], list):
        raise json_error(body, "Expecting 'examples' value to be an list/array")
    if not body["examples"]:
        raise json_error(body, "'examples' value is an empty array")
    examples = (
        given.example_list_with_context if "context" in body else given.example_list
    ).examples
    for example in body["examples"]:
        _read_example(example, examples.add())
    return given


def _read_example(value: Any, example: Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    for name, content in value.items():
        _read_feature(
            name,
            content if isinstance(content, list) else [content],
            example.features.feature[name],
        )


def _read_feature(name: str, values: list[Any], feature: Feature) -> None:
    """Put values of one kind into a feature; the first value decides the kind."""
    kind: str | None = None
    for value in values:
        kind_of_value = _kind(name, value)
        if kind not in (None, kind_of_value):
            raise invalid_argument(
                f"Unexpected element type in feature: {name} expecting type: {kind}"
            )
        kind = kind_of_value
        if kind == "bytes":
            feature.bytes_list.value.append(
                value.encode() if isinstance(value, str) else decode_base64(value)
            )
        elif kind == "float":
            feature.float_list.value.append(value)
        elif value >= 2**63:
            raise invalid_argument(
                f"Feature: {name} has uint64_t element. Only int64_t is supported."
            )
        else:
            feature.int64_list.value.append(value)


def _kind(name: str, value: Any) -> str:
    if isinstance(value, str) or is_base64(value):
        return "bytes"
    if isinstance(value, float):
        return "float"
    if isinstance(value, int):  # a truth value is 0 or 1
        return "int64"
    raise invalid_argument(
        f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
    )


def classification_answer(result: ClassificationResult) -> dict[str, Any]:
    """Return the JSON document of a classification: a list of [label, score] for each example."""
    return {
        "results": [
            [[of.label, np.float32(of.score)] for of in example.classes]
            for example in result.classifications
        ]
    }


def regression_answer(result: RegressionResult) -> dict[str, Any]:
    """Return the JSON document of a regression: a value for each example."""
    return {
        "results": np.array([regression.value for regression in result.regressions], np.float32)
    }

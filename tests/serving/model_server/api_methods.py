"""The methods of TensorFlow Serving's gRPC API, with the types of their messages. Imports TensorFlow."""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

_METHODS = {
    "Predict": (predict_pb2, "Predict", PredictionServiceStub),
    "Classify": (classification_pb2, "Classification", PredictionServiceStub),
    "Regress": (regression_pb2, "Regression", PredictionServiceStub),
    "MultiInference": (inference_pb2, "MultiInference", PredictionServiceStub),
    "GetModelMetadata": (get_model_metadata_pb2, "GetModelMetadata", PredictionServiceStub),
    "GetModelStatus": (get_model_status_pb2, "GetModelStatus", ModelServiceStub),
    "HandleReloadConfigRequest": (model_management_pb2, "ReloadConfig", ModelServiceStub),
}


def stub_of(method: str) -> Any:
    """The stub that has the method."""
    return _METHODS[method][2]


def types_of(method: str) -> tuple[Any, Any]:
    """Types of the method's request and response."""
    module, message, _ = _METHODS[method]
    return getattr(module, f"{message}Request"), getattr(module, f"{message}Response")

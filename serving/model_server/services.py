"""The gRPC services: each call handed on, each error turned into a status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import grpc
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer

from serving.model_server.lookup import ServedModels
from serving.model_server.model_metadata import model_metadata
from serving.model_server.model_status import model_status
from serving.model_server.predict import predict
from serving.model_server.status_error import StatusError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class PredictionService(PredictionServiceServicer):
    """Predict and GetModelMetadata; the remaining calls answer UNIMPLEMENTED."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def Predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:  # noqa: N802 (API's name)
        """Runs a signature."""
        return _answered(context, lambda: predict(self._models, request, context.time_remaining()))

    def GetModelMetadata(  # noqa: N802 (API's name)
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        """Shows the signatures of a version."""
        return _answered(context, lambda: model_metadata(self._models, request))


class ModelService(ModelServiceServicer):
    """GetModelStatus; the remaining call answers UNIMPLEMENTED."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def GetModelStatus(  # noqa: N802 (API's name)
        self, request: GetModelStatusRequest, context: grpc.ServicerContext
    ) -> GetModelStatusResponse:
        """Lists the versions of a model with their states."""
        return _answered(context, lambda: model_status(self._models, request))


def _answered(context: grpc.ServicerContext, call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except StatusError as error:
        status = error
    except Exception as error:
        logger.exception("a request failed in a way that is a defect of this server")
        status = StatusError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
    context.abort(status.code, status.short_text)
    raise AssertionError("abort raises")

"""The gRPC services: each call handed on, each error turned into a status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import grpc
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
)
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from serving.model_server.config.reload import reload_config
from serving.model_server.methods.classify import classify
from serving.model_server.methods.model_metadata import model_metadata
from serving.model_server.methods.model_status import model_status
from serving.model_server.methods.multi_inference import multi_inference
from serving.model_server.methods.predict import predict
from serving.model_server.methods.regress import regress
from serving.model_server.status_error import as_status
from serving.model_server.versions.model_registry import ServedModels

Answer = TypeVar("Answer")


class PredictionService(PredictionServiceServicer):
    """Runs models, and tells what they take."""

    def __init__(self, models: ServedModels, as_tensor_content: bool) -> None:
        self._models = models
        self._as_tensor_content = as_tensor_content

    def Predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:  # noqa: N802 (API's name)
        """Runs a signature."""
        return _answered(
            context,
            lambda: predict(
                self._models,
                request,
                context.time_remaining(),
                as_tensor_content=self._as_tensor_content,
            ),
        )

    def Classify(  # noqa: N802 (API's name)
        self, request: ClassificationRequest, context: grpc.ServicerContext
    ) -> ClassificationResponse:
        """Runs a signature that gives labels and scores for tf.Examples."""
        return _answered(context, lambda: classify(self._models, request, context.time_remaining()))

    def Regress(  # noqa: N802 (API's name)
        self, request: RegressionRequest, context: grpc.ServicerContext
    ) -> RegressionResponse:
        """Runs a signature that gives a number for each tf.Example."""
        return _answered(context, lambda: regress(self._models, request, context.time_remaining()))

    def MultiInference(  # noqa: N802 (API's name)
        self, request: MultiInferenceRequest, context: grpc.ServicerContext
    ) -> MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""
        return _answered(
            context, lambda: multi_inference(self._models, request, context.time_remaining())
        )

    def GetModelMetadata(  # noqa: N802 (API's name)
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        """Shows the signatures of a version."""
        return _answered(context, lambda: model_metadata(self._models, request))


class ModelService(ModelServiceServicer):
    """Tells the state of models, and replaces what is served."""

    def __init__(self, models: ServedModels, labels_may_wait: bool) -> None:
        self._models = models
        self._labels_may_wait = labels_may_wait

    def GetModelStatus(  # noqa: N802 (API's name)
        self, request: GetModelStatusRequest, context: grpc.ServicerContext
    ) -> GetModelStatusResponse:
        """Lists the versions of a model with their states."""
        return _answered(context, lambda: model_status(self._models, request))

    def HandleReloadConfigRequest(  # noqa: N802 (API's name)
        self, request: ReloadConfigRequest, context: grpc.ServicerContext
    ) -> ReloadConfigResponse:
        """Serves what the request's configuration lists, and nothing else."""
        return _answered(
            context,
            lambda: reload_config(self._models, request, labels_may_wait=self._labels_may_wait),
        )


def _answered(context: grpc.ServicerContext, call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except Exception as error:
        status = as_status(error)
    context.abort(status.code, status.short_text)
    raise AssertionError("abort raises")

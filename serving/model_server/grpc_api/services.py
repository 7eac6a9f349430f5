"""The gRPC services: prediction, model and health. Each error becomes a status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
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
from serving.model_server.methods.model_info import model_metadata, model_status
from serving.model_server.methods.multi_inference import chosen_model_spec, multi_inference
from serving.model_server.methods.predict import PredictLog, predict
from serving.model_server.methods.regress import regress
from serving.model_server.methods.request_checks import require_model_spec
from serving.model_server.status_error import as_status
from serving.model_server.versions.model_registry import ModelRegistry
from serving.model_server.versions.version import VersionInUse

NAMES = ("", "ModelService", "PredictionService")


class ModelHealth:
    """SERVING while any version of any model is AVAILABLE, under TensorFlow Serving's names."""

    def __init__(self, models: ModelRegistry, server: grpc.Server) -> None:
        """Report NOT_SERVING until the first `update`.

        Args:
            models: The served models.
            server: The gRPC server that tells the health.
        """
        self._models = models
        self._servicer = HealthServicer()
        add_HealthServicer_to_server(self._servicer, server)
        self._set(HealthCheckResponse.NOT_SERVING)

    def update(self) -> None:
        """Look at the models again."""
        serving = any(model.available_versions() for model in self._models.all)
        self._set(HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING)

    def end(self) -> None:
        """Not serving from now on, whatever is loaded."""
        self._servicer.enter_graceful_shutdown()

    def _set(self, status: HealthCheckResponse.ServingStatus) -> None:
        for name in NAMES:
            self._servicer.set(name, status)


Answer = TypeVar("Answer")


_Method = Callable[[VersionInUse, Any, float | None], Any]


class PredictionService(PredictionServiceServicer):
    """Runs models, and tells what they take."""

    def __init__(
        self,
        models: ModelRegistry,
        as_tensor_content: bool,
        request_log: PredictLog | None = None,
    ) -> None:
        self._models = models
        self._as_tensor_content = as_tensor_content
        self._request_log = request_log

    def Predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:  # noqa: N802 (API's name)
        """Run a signature."""
        method = partial(predict, as_tensor_content=self._as_tensor_content)
        response = self._run(method, request, context)
        if self._request_log is not None:
            self._request_log.offer(None, [request], [response])
        return response

    def Classify(  # noqa: N802 (API's name)
        self, request: ClassificationRequest, context: grpc.ServicerContext
    ) -> ClassificationResponse:
        """Run a signature that gives labels and scores for tf.Examples."""
        return self._run(classify, request, context)

    def Regress(  # noqa: N802 (API's name)
        self, request: RegressionRequest, context: grpc.ServicerContext
    ) -> RegressionResponse:
        """Run a signature that gives a number for each tf.Example."""
        return self._run(regress, request, context)

    def MultiInference(  # noqa: N802 (API's name)
        self, request: MultiInferenceRequest, context: grpc.ServicerContext
    ) -> MultiInferenceResponse:
        """Run several signatures on the same tf.Examples."""

        def answer() -> MultiInferenceResponse:
            with self._models.use(chosen_model_spec(request)) as version:
                return multi_inference(version, request, context.time_remaining())

        return _answered(context, answer)

    def GetModelMetadata(  # noqa: N802 (API's name)
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        """Show the signatures of a version."""
        return _answered(context, lambda: model_metadata(self._models, request))

    def _run(self, method: _Method, request: Any, context: grpc.ServicerContext) -> Any:
        """Answer a request that names one model, with the version that it asks for."""

        def answer() -> Any:
            require_model_spec(request)
            with self._models.use(request.model_spec) as version:
                return method(version, request, context.time_remaining())

        return _answered(context, answer)


class ModelService(ModelServiceServicer):
    """Tells the state of models, and replaces what is served."""

    def __init__(self, models: ModelRegistry, labels_may_wait: bool) -> None:
        self._models = models
        self._labels_may_wait = labels_may_wait

    def GetModelStatus(  # noqa: N802 (API's name)
        self, request: GetModelStatusRequest, context: grpc.ServicerContext
    ) -> GetModelStatusResponse:
        """List the versions of a model with their states."""
        return _answered(context, lambda: model_status(self._models, request))

    def HandleReloadConfigRequest(  # noqa: N802 (API's name)
        self, request: ReloadConfigRequest, context: grpc.ServicerContext
    ) -> ReloadConfigResponse:
        """Serve what the request's configuration lists, and nothing else."""
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

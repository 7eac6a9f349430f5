"""gRPC health: whether the server has a model to answer with."""

from __future__ import annotations

import grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from serving.model_server.versions.model_registry import ModelRegistry

NAMES = ("", "ModelService", "PredictionService")


class ModelHealth:
    """SERVING while any version of any model is AVAILABLE, under TensorFlow Serving's names."""

    def __init__(self, models: ModelRegistry, server: grpc.Server) -> None:
        """Not serving until the first `update`.

        Args:
            models: what is served.
            server: where health is told.
        """
        self._models = models
        self._servicer = HealthServicer()
        add_HealthServicer_to_server(self._servicer, server)
        self._set(HealthCheckResponse.NOT_SERVING)

    def update(self) -> None:
        """Looks at the models again."""
        serving = any(model.available_versions() for model in self._models.all)
        self._set(HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING)

    def end(self) -> None:
        """Not serving from now on, whatever is loaded."""
        self._servicer.enter_graceful_shutdown()

    def _set(self, status: HealthCheckResponse.ServingStatus) -> None:
        for name in NAMES:
            self._servicer.set(name, status)

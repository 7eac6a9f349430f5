"""Prometheus metrics, under TensorFlow Serving's names where it has them, else under Fulcrum's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import grpc
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from serving.model_server.config.server_config import ConfigError, MonitoringConfig, read_config
from serving.model_server.versions.model_registry import ModelRegistry

DEFAULT_PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4

_REQUEST_COUNT = ":tensorflow:serving:request_count"
_REQUEST_LATENCY = ":tensorflow:serving:request_latency"
# From 10 µs, each bound 1.8 times the last, to 24 minutes, in the six digits that TensorFlow
# Serving prints.
_LATENCY_BOUNDS_US = [float(f"{10 * 1.8**exponent:.6g}") for exponent in range(33)]
_CANDIDATE_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

prometheus_client.disable_created_metrics()


class ServerMetrics:
    """The metrics of one server. Safe to use from several threads."""

    def __init__(self, models: ModelRegistry) -> None:
        """Count from zero.

        Args:
            models: The served models. Requests for other models are counted under no name, or
                anyone who sends requests could fill the memory with names.
        """
        self._models = models
        self._registry = CollectorRegistry()
        self._requests = Counter(
            _REQUEST_COUNT,
            "The total number of requests.",
            ["model_name", "status"],
            registry=self._registry,
        )
        self._latency_us = Histogram(
            _REQUEST_LATENCY,
            "Wall time in microseconds of requests that were answered OK.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCY_BOUNDS_US,
            registry=self._registry,
        )
        self._candidates = Histogram(
            "fulcrum_request_candidates",
            "Candidates of a Predict request: the largest first dimension of its inputs.",
            ["model_name"],
            buckets=_CANDIDATE_BOUNDS,
            registry=self._registry,
        )
        self._registry.register(_Versions(models))
        ProcessCollector(registry=self._registry)

    def count(
        self, model_name: str, api: str, entrypoint: str, code: grpc.StatusCode, latency_s: float
    ) -> None:
        """Count a request that was answered.

        Args:
            model_name: The model's name in the request.
            api: The method, as in ``Predict`` over gRPC or ``predict`` over REST.
            entrypoint: ``GRPC`` or ``REST``.
            code: The gRPC code with which the request ended.
            latency_s: The time that the answer took, in seconds.
        """
        known = model_name if self._models.named(model_name) else ""
        self._requests.labels(known, code.name).inc()
        if code is grpc.StatusCode.OK:
            self._latency_us.labels(known, api, entrypoint).observe(latency_s * 1e6)

    def count_candidates(self, request: PredictRequest) -> None:
        """Count the candidates of a request that was answered OK."""
        firsts = [
            proto.tensor_shape.dim[0].size
            for proto in request.inputs.values()
            if proto.tensor_shape.dim
        ]
        self._candidates.labels(request.model_spec.name).observe(max(firsts, default=1))

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        text = prometheus_client.generate_latest(self._registry)
        # The library gives every counter the suffix that OpenMetrics asks for. TensorFlow Serving's
        # has none.
        return text.replace(f"{_REQUEST_COUNT}_total".encode(), _REQUEST_COUNT.encode())


class _Versions(Collector):
    """The state of every version, looked up when the page is asked for."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield one sample for each version, of value 1."""
        family = GaugeMetricFamily(
            "fulcrum_model_version_state",
            "1 for the state that a version is in.",
            labels=["model_name", "version", "state"],
        )
        for model in self._models.all:
            for version in model.statuses():
                family.add_metric([model.name or "", str(version.number), version.state.name], 1.0)
        yield family


def page_path(file: Path) -> str | None:
    """Return the path of the metrics page by a monitoring config file; None for no page.

    Args:
        file: A file with a ``MonitoringConfig``.

    Raises:
        ConfigError: The file cannot be used.
    """
    prometheus = read_config(file, MonitoringConfig).prometheus_config
    if prometheus.path and not prometheus.path.startswith("/"):
        raise ConfigError(
            f"{file}: prometheus_config.path is {prometheus.path!r}; it must begin with /, as "
            f"{DEFAULT_PATH}"
        )
    return (prometheus.path or DEFAULT_PATH) if prometheus.enable else None

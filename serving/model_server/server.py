"""The local model server: models watched on disk and served over gRPC and REST."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from concurrent import futures
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    add_PredictionServiceServicer_to_server,
)

from serving.model_server.config.config_file import ConfigFile
from serving.model_server.grpc_api.interceptors import (
    AdmissionInterceptor,
    MetricsInterceptor,
    ReadableRequestsInterceptor,
)
from serving.model_server.grpc_api.services import (
    ModelHealth,
    ModelService,
    PredictionService,
)
from serving.model_server.methods.predict import PredictLog
from serving.model_server.methods.warm_up import load_and_warm
from serving.model_server.metrics import ServerMetrics
from serving.model_server.request_pool import RequestPool
from serving.model_server.rest.app import RestApi, http_app
from serving.model_server.rest.http_server import HttpServer
from serving.model_server.versions.model_registry import ModelRegistry
from serving.model_server.versions.saved_model import SavedModel
from serving.model_server.versions.served_model import ServedModel

_CONTROL_THREADS = 8
# For answers that are ready to reach their clients. The wait ends when all calls have ended, so
# only a stream that its client leaves open, such as Health.Watch, takes the whole of it.
_LAST_BYTES_S = 10.0
_REFLECTED = (
    "tensorflow.serving.PredictionService",
    "tensorflow.serving.ModelService",
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
)


DEFAULT_THREADS = 4


class PortError(OSError):
    """The server cannot listen where it was told to."""


class LocalModelServer:
    """Serves models over gRPC, and REST on request, from `start` to `stop`.

    A context manager does both.

    Attributes:
        models: The served models.
        metrics: The metrics of this server.
        host: The address that the server listens on.
        port: The port that the server listens on, also where the system chose it.
        rest_port: The port for REST; None if there is no REST.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        *,
        host: str = "127.0.0.1",
        port: int = 8500,
        poll_s: float = 1.0,
        config_file: ConfigFile | None = None,
        as_tensor_content: bool = False,
        max_candidates: int | None = None,
        max_message_bytes: int = 2**26,
        max_requests: int = 256,
        threads: int = DEFAULT_THREADS,
        intra_op_threads: int = 0,
        credentials: grpc.ServerCredentials | None = None,
        rest_host: str = "127.0.0.1",
        rest_port: int | None = None,
        metrics_path: str | None = None,
        request_log: PredictLog | None = None,
    ) -> None:
        """Take the port, but answer nothing yet.

        Args:
            models: The models to serve, beside those of `config_file`.
            host: Address to listen on; loopback by default, because the server neither encrypts nor
                asks who calls.
            port: Port to listen on; 0 lets the system choose.
            poll_s: Seconds between two looks at the models' folders.
            config_file: The file that lists models to serve, and its rules for labels in reloads.
            as_tensor_content: Whether Predict answers numbers as bytes, and not one by one.
            max_candidates: The largest number of rows in an input, or of examples in a request;
                None for any.
            max_message_bytes: The size of the largest request.
            max_requests: Requests answered or waiting at one time; more are refused.
            threads: Requests answered at one time.
            intra_op_threads: Threads over which operations of requests are spread, see
                `session_config`.
            credentials: The TLS credentials for gRPC; None for no encryption.
            rest_host: Address to listen on for REST, which is never encrypted.
            rest_port: Port to listen on for REST; 0 lets the system choose, None leaves REST out.
            metrics_path: The path of the metrics page on the REST port; None for no page.
            request_log: The log that takes Predict's requests with their answers. The caller
                closes it, after the server.

        Raises:
            PortError: The address cannot be had.
        """
        load = functools.partial(
            load_and_warm, load=functools.partial(SavedModel, intra_op_threads=intra_op_threads)
        )
        self.models = ModelRegistry(models, load=load, max_candidates=max_candidates)
        self.host = host
        self._poll_s = poll_s
        self._config_file = config_file
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="model-versions", daemon=True)
        self.metrics = ServerMetrics(self.models)
        self._pool = RequestPool(threads, max_requests)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_CONTROL_THREADS, thread_name_prefix="control"),
            interceptors=[
                ReadableRequestsInterceptor(),
                MetricsInterceptor(self.metrics),
                AdmissionInterceptor(self._pool),
            ],
            options=_options(max_message_bytes),
        )
        labels_may_wait = config_file is not None and config_file.labels_may_wait
        add_PredictionServiceServicer_to_server(
            PredictionService(self.models, as_tensor_content, request_log), self._server
        )
        add_ModelServiceServicer_to_server(ModelService(self.models, labels_may_wait), self._server)
        self._health = ModelHealth(self.models, self._server)
        reflection.enable_server_reflection(_REFLECTED, self._server)
        address = _address(host, port)
        try:
            if credentials is None:
                self.port = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise PortError(f"cannot listen on {address}; does another server use it?") from error
        self._http = None
        if rest_port is not None:
            rest = RestApi(
                self.models,
                self.metrics,
                self._pool,
                max_request_bytes=max_message_bytes,
                request_log=request_log,
            )
            try:
                self._http = HttpServer(
                    http_app(rest, self.metrics, metrics_path), rest_host, rest_port
                )
            except OSError as error:
                raise PortError(
                    f"cannot listen on {_address(rest_host, rest_port)} for REST: {error.strerror}"
                ) from error
        self._rest_host, self.rest_port = rest_host, self._http.port if self._http else None

    @property
    def target(self) -> str:
        """The address that clients connect to."""
        return _address(self.host, self.port)

    @property
    def rest_target(self) -> str | None:
        """The address that REST clients connect to; None if there is no REST."""
        return None if self.rest_port is None else _address(self._rest_host, self.rest_port)

    def start(self) -> None:
        """Load the versions that are there, then answer requests in the background.

        Raises:
            StatusError: The configuration file cannot be taken over.
        """
        if self._config_file is not None:
            self._config_file.apply(self.models)
        self.models.poll()
        self._health.update()
        self._server.start()
        if self._http:
            self._http.start()
        self._poller.start()

    def stop(self, drain_s: float = 30.0) -> None:
        """Take no new request, wait for those in flight, and free the models.

        Health says NOT_SERVING meanwhile.

        Args:
            drain_s: Seconds after which requests that are still running are cut off.
        """
        self._health.end()
        drained = self._pool.drain(drain_s)
        stopped = self._server.stop(_LAST_BYTES_S if drained else None)
        if self._http:
            self._http.stop(_LAST_BYTES_S if drained else 0.0)
        stopped.wait()
        self._pool.shutdown(wait=False)
        self._stopping.set()
        if self._poller.ident is not None:
            self._poller.join()
        for model in self.models.all:
            model.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_s):
            if self._config_file is not None:
                self._config_file.poll(self.models)
            self.models.poll()
            self._health.update()


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # Two servers on one port would each get a share of the requests, without a word.
        ("grpc.so_reuseport", 0),
    ]


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The local model server: models watched on disk and served over gRPC."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent import futures
from types import TracebackType
from typing import Self

import grpc
from tensorflow_serving.apis.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import add_PredictionServiceServicer_to_server

from serving.model_server.config_file import ConfigFile
from serving.model_server.lookup import ServedModels
from serving.model_server.served_model import ServedModel
from serving.model_server.services import ModelService, PredictionService

_OPTIONS = [
    # A request of thousands of candidates passes gRPC's default of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two servers on one port would each get a share of the requests, without a word.
    ("grpc.so_reuseport", 0),
]


class PortError(OSError):
    """The server cannot listen where it was told to."""


class LocalModelServer:
    """Serves models over gRPC from `start` to `stop`; a context manager does both.

    Attributes:
        models: what is served.
        host: where it listens.
        port: where it listens; the one the system chose if 0 was asked for.
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
        max_workers: int = 16,
    ) -> None:
        """Takes the port, but answers nothing yet.

        Args:
            models: what to serve, beside what `config_file` says.
            host: address to listen on; loopback by default, because the server neither encrypts nor asks who calls.
            port: port to listen on; 0 lets the system choose.
            poll_s: seconds between two looks at the models' folders.
            config_file: what to serve, and its labels' rules for reloads.
            as_tensor_content: whether Predict answers numbers as bytes, and not one by one.
            max_workers: requests handled at one time; more wait.

        Raises:
            PortError: the address cannot be had.
        """
        self.models = ServedModels(models)
        self.host = host
        self._poll_s = poll_s
        self._config_file = config_file
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="model-versions", daemon=True)
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers, thread_name_prefix="request"), options=_OPTIONS)
        labels_may_wait = config_file is not None and config_file.labels_may_wait
        add_PredictionServiceServicer_to_server(PredictionService(self.models, as_tensor_content), self._server)
        add_ModelServiceServicer_to_server(ModelService(self.models, labels_may_wait), self._server)
        try:
            self.port = self._server.add_insecure_port(_address(host, port))
        except RuntimeError as error:
            raise PortError(f"cannot listen on {_address(host, port)}; does another server use it?") from error

    @property
    def target(self) -> str:
        """The address that clients connect to."""
        return _address(self.host, self.port)

    def start(self) -> None:
        """Loads what is there, then answers requests; returns at once after that.

        Raises:
            StatusError: the configuration file cannot be taken over.
        """
        if self._config_file is not None:
            self._config_file.apply(self.models)
        self.models.poll()
        self._server.start()
        self._poller.start()

    def stop(self, drain_s: float = 30.0) -> None:
        """Takes no new request, waits for those in flight, and frees the models.

        Args:
            drain_s: seconds after which requests that are still running are cut off.
        """
        self._server.stop(drain_s).wait()
        self._stopping.set()
        if self._poller.ident is not None:
            self._poller.join()
        for model in self.models.all:
            model.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_s):
            if self._config_file is not None:
                self._config_file.poll(self.models)
            self.models.poll()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

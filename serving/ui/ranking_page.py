"""The page beside a model server, from `start` to `stop`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving.model_server.rest.http_server import HttpServer
from serving.model_server.server import LocalModelServer, PortError
from serving.model_server.versions.served_model import ServedModel
from serving.model_server.versions.version_policy import VersionPolicy
from serving.ui.app import page_app
from serving.ui.page_model import PageModel

_HOST = "127.0.0.1"


class RankingPage:
    """Serves the page on loopback and asks the model server over gRPC, like any client.

    Attributes:
        url: where the page is.
    """

    def __init__(
        self, server: LocalModelServer, port: int, request_files: Sequence[Path] = ()
    ) -> None:
        """Takes the port, but answers nothing yet.

        Args:
            server: without TLS.
            port: port to listen on; 0 lets the system choose.
            request_files: see `serving.ui.request_sources`.

        Raises:
            PortError: the port cannot be had.
        """
        self._server = server
        # Who listens on every address is reached on loopback.
        host = {"0.0.0.0": _HOST, "::": "[::1]"}.get(server.host)  # noqa: S104
        self._target = f"{host}:{server.port}" if host else server.target
        self._request_files = request_files
        self._models: dict[ServedModel, PageModel] = {}
        try:
            self._http = HttpServer(page_app(self._page_models), _HOST, port)
        except OSError as error:
            raise PortError(
                f"cannot listen on {_HOST}:{port} for the page: {error.strerror}"
            ) from error
        self.url = f"http://{_HOST}:{self._http.port}/"

    def start(self) -> None:
        """Answers from now on."""
        self._http.start()

    def stop(self) -> None:
        """Stops answering."""
        self._http.stop(1.0)
        for model in self._models.values():
            model.close()

    def _page_models(self) -> list[PageModel]:
        """The models, without those that are no longer served."""
        return [
            self._models.setdefault(served, PageModel(served, self._target, self._request_files))
            for served in self._server.models.all
            if served.policy != VersionPolicy.NONE
        ]

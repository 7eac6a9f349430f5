"""The page beside a model server: its files, and JSON for its script, over HTTP on loopback.

The page is for the person at this machine. It answers only requests that name loopback as their
host, so that no web page can reach it under a name of its own; ranks only what is sent as JSON,
which a page of another origin may not send; and lets the page load nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import pydantic
from pydantic import NonNegativeInt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feature_spec.loading import SpecError
from feature_spec.strict_model import StrictModel
from serving.errors import RankingError
from serving.model_server.rest.http_server import HttpServer
from serving.model_server.server import LocalModelServer, PortError
from serving.model_server.versions.served_model import ServedModel
from serving.model_server.versions.version import VersionPolicy
from serving.ui.page_model import PageModel

_FILES = Path(__file__).with_name("page")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class RankCall(StrictModel):
    """A call of the page: a request to be ranked, by versions and weights.

    Attributes:
        model: The name of the model.
        request: The number of the request in the model's description.
        versions: The versions that are to rank, side by side; None for the newest.
        weights: Weights that replace the versions' own, by task or ``duration``.
    """

    model: str
    request: NonNegativeInt
    versions: Annotated[list[NonNegativeInt | None], pydantic.Field(min_length=1, max_length=2)]
    weights: dict[str, float] = {}


def page_app(models: Callable[[], Sequence[PageModel]]) -> Starlette:
    """Make the page as an ASGI application.

    Args:
        models: A function that returns the models that are served at the time.
    """

    def described(_: Request) -> Response:
        return _json({"models": [model.description() for model in models()]})

    async def ranked(request: Request) -> Response:
        if (
            request.headers.get("content-type", "").partition(";")[0].strip().lower()
            != "application/json"
        ):
            return _json({"error": "content-type: application/json is needed"}, 415)
        try:
            call = RankCall.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            return _json(
                {
                    "error": "; ".join(
                        f"{_place(detail)}: {detail['msg']}" for detail in error.errors()
                    )
                },
                400,
            )
        return await run_in_threadpool(_ranked, models(), call)

    return Starlette(
        routes=[
            Route("/api/models", described, methods=["GET"]),
            Route("/api/rank", ranked, methods=["POST"]),
            Mount("/", StaticFiles(directory=_FILES, html=True)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
            Middleware(_WithHeaders),
        ],
    )


class _WithHeaders:
    """Adds `_HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _ranked(models: Sequence[PageModel], call: RankCall) -> Response:
    model = next((model for model in models if model.name == call.model), None)
    if model is None:
        names = ", ".join(str(model.name) for model in models)
        return _json(
            {"error": f"model {call.model!r}: no such model; valid: {names or 'none'}"}, 404
        )
    lists: list[dict[str, Any]] = []
    for version in call.versions:
        try:
            lists.append(model.ranking(call.request, version, call.weights))
        except LookupError as error:
            return _json({"error": str(error)}, 404)
        except (RankingError, SpecError) as error:
            # One version may be gone, or refuse what the other ranks.
            lists.append({"version": version, "error": str(error)})
    return _json({"versions": model.versions(), "lists": lists})


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _place(detail: Any) -> str:
    return ".".join(map(str, detail["loc"])) or "body"


_HOST = "127.0.0.1"


class RankingPage:
    """Serves the page on loopback and asks the model server over gRPC, like any client.

    Attributes:
        url: The address of the page.
    """

    def __init__(
        self, server: LocalModelServer, port: int, request_files: Sequence[Path] = ()
    ) -> None:
        """Take the port, but answer nothing yet.

        Args:
            server: The model server, which must not use TLS.
            port: Port to listen on; 0 lets the system choose.
            request_files: See `serving.ui.request_sources`.

        Raises:
            PortError: The port cannot be had.
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
        """Begin to answer requests for the page."""
        self._http.start()

    def stop(self) -> None:
        """Stop answering."""
        self._http.stop(1.0)
        for model in self._models.values():
            model.close()

    def _page_models(self) -> list[PageModel]:
        """Return the models, without those that are no longer served."""
        return [
            self._models.setdefault(served, PageModel(served, self._target, self._request_files))
            for served in self._server.models.all
            if served.policy != VersionPolicy.NONE
        ]

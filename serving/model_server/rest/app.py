"""The REST API and the metrics page as an ASGI application."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
import zlib

import grpc
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from serving.model_server.methods.predict import PredictLog
from serving.model_server.metrics import CONTENT_TYPE, ServerMetrics
from serving.model_server.request_pool import RequestPool
from serving.model_server.rest.handler import answer_call, read_call
from serving.model_server.status_error import StatusError, as_status
from serving.model_server.versions.model_registry import ModelRegistry

logger = logging.getLogger(__name__)

_TIME_LIMIT_S = 30.0  # HTTP carries no deadline; TensorFlow Serving's default
_GZIP = 16 + zlib.MAX_WBITS

_HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class RestApi:
    """TensorFlow Serving's REST API: an ASGI application for every path below ``/v1/``."""

    def __init__(
        self,
        models: ModelRegistry,
        metrics: ServerMetrics,
        workers: RequestPool,
        *,
        max_request_bytes: int,
        request_log: PredictLog | None = None,
    ) -> None:
        """Make an application that answers calls on models.

        Args:
            models: The served models.
            metrics: The metrics that count the calls.
            workers: The threads that run the models, so that the event loop never waits for one.
            max_request_bytes: The size of the largest body, packed or unpacked.
            request_log: The log that takes Predict's requests with their answers.
        """
        self._models = models
        self._metrics = metrics
        self._workers = workers
        self._max_bytes = max_request_bytes
        self._request_log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = _sent_path(request.scope)
        if not path.lower().startswith("/v1/"):
            return _error(404, f"Nothing is served at {path}. Paths begin with /v1/models/")
        # TensorFlow Serving's answer to a browser that asks whether it may call
        if request.method == "OPTIONS":
            return Response(status_code=200 if "http" in request.headers.get("origin", "") else 400)
        began_s = time.monotonic()
        name = method = ""
        code, text, answered = grpc.StatusCode.OK, "", b""
        try:
            call = read_call(request.method, path)
            name, method = call.model_spec.name, call.method
            body = await self._body(request)
            refusal = self._workers.refusal()
            if refusal is not None:
                raise refusal
            remaining_s = _TIME_LIMIT_S - (time.monotonic() - began_s)
            loop = asyncio.get_running_loop()
            answered = await loop.run_in_executor(
                self._workers,
                functools.partial(answer_call, request_log=self._request_log),
                self._models,
                self._metrics,
                call,
                body,
                remaining_s,
            )
        except ClientDisconnect:
            raise
        except Exception as error:
            status = as_status(error)
            code, text = status.code, status.text
        self._metrics.count(name, method, "REST", code, time.monotonic() - began_s)
        if code is not grpc.StatusCode.OK:
            return _error(_HTTP_STATUS.get(code, 500), text)
        return Response(answered, media_type="application/json")

    async def _body(self, request: Request) -> bytes:
        """Return the body, unpacked.

        Raises:
            StatusError: The body is larger than the server takes, or not packed as its header says.
        """
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            chunks.append(chunk)
        body = b"".join(chunks)
        if request.headers.get("content-encoding", "").lower() != "gzip":
            return body
        try:
            unpacker = zlib.decompressobj(_GZIP)
            unpacked = unpacker.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise StatusError(
                grpc.StatusCode.INVALID_ARGUMENT, f"The body is not gzip: {error}"
            ) from error
        if len(unpacked) > self._max_bytes:
            raise self._too_large()
        if body and not unpacker.eof:
            raise StatusError(
                grpc.StatusCode.INVALID_ARGUMENT, "The body is not gzip: it is cut off"
            )
        return unpacked

    def _too_large(self) -> StatusError:
        text = f"Received message larger than max (limit: {self._max_bytes} bytes)"
        return StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)


def http_app(rest: RestApi, metrics: ServerMetrics, metrics_path: str | None) -> Starlette:
    """Make the application: the REST API and, at its path, the metrics page.

    Args:
        rest: The REST API.
        metrics: The metrics that the page shows.
        metrics_path: The path of the metrics page; None for no page.
    """

    def page(_: Request) -> Response:
        return PlainTextResponse(metrics.page(), headers={"content-type": CONTENT_TYPE})

    shown = [Route(metrics_path, page)] if metrics_path else []
    return Starlette(routes=[*shown, Mount("/", rest)])


def _sent_path(scope: Scope) -> str:
    """Return path and query as they were sent, which TensorFlow Serving compares and shows."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return (scope["raw_path"] + query).decode(errors="replace")


def _error(status: int, text: str) -> Response:
    body = json.dumps({"error": text}, indent=4, ensure_ascii=False)
    return Response(body, status, media_type="application/json")

"""The interceptors of gRPC calls: each call is read, counted, and admitted or refused.

Calls of the PredictionService go to the threads that run models, if these have room. All other
calls, and refusals, are answered by the server's own threads: health is told and a limit is
explained however busy the models are.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from serving.model_server.metrics import ServerMetrics
from serving.model_server.request_pool import RequestPool
from serving.model_server.status_error import StatusError

_Behaviour = Callable[[Any, grpc.ServicerContext], Any]

_PREDICTION = "/tensorflow.serving.PredictionService/"
_COUNTED = {f"{_PREDICTION}{method}": method for method in ("Predict", "Classify", "Regress")}


class ReadableRequestsInterceptor(grpc.ServerInterceptor):
    """Answers INVALID_ARGUMENT to a message that cannot be parsed."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Wrap the handler of a method that takes and returns one message."""
        handler = continuation(details)
        if handler is None or not handler.unary_unary:
            return handler

        def parsed(message: bytes) -> Any:
            try:
                return handler.request_deserializer(message)
            except DecodeError as error:
                return error

        @functools.wraps(handler.unary_unary)  # which also keeps the threads that it is meant for
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            if isinstance(request, DecodeError):
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"The message is no request of {details.method}: {request}",
                )
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, parsed, handler.response_serializer)


class AdmissionInterceptor(grpc.ServerInterceptor):
    """Sends each call that runs a model to a pool, or refuses it."""

    def __init__(self, pool: RequestPool) -> None:
        self._pool = pool

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Choose the threads that answer a call, or refuse it, when it arrives."""
        handler = continuation(details)
        if handler is None or not details.method.startswith(_PREDICTION):
            return handler
        refusal = self._pool.refusal()
        behaviour = self._pooled(handler.unary_unary) if refusal is None else _refusing(refusal)
        return grpc.unary_unary_rpc_method_handler(
            behaviour, handler.request_deserializer, handler.response_serializer
        )

    def _pooled(self, behaviour: _Behaviour) -> _Behaviour:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            return behaviour(request, context)

        answer.experimental_thread_pool = self._pool  # type: ignore[attr-defined]  # gRPC looks for it there
        return answer


def _refusing(refusal: StatusError) -> _Behaviour:
    def refuse(_: Any, context: grpc.ServicerContext) -> Any:
        context.abort(refusal.code, refusal.text)

    return refuse


class MetricsInterceptor(grpc.ServerInterceptor):
    """Times each call and counts how it ended."""

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Wrap the handler of a method that is counted."""
        handler = continuation(details)
        api = _COUNTED.get(details.method)
        if handler is None or api is None:
            return handler

        @functools.wraps(handler.unary_unary)  # which also keeps the threads that it is meant for
        def counted(request: Any, context: grpc.ServicerContext) -> Any:
            began_s = time.monotonic()
            code = grpc.StatusCode.UNKNOWN
            try:
                response = handler.unary_unary(request, context)
                code = grpc.StatusCode.OK
            except Exception:
                code = context.code() or code
                raise
            finally:
                self._metrics.count(
                    request.model_spec.name, api, "GRPC", code, time.monotonic() - began_s
                )
            if api == "Predict":
                self._metrics.count_candidates(request)
            return response

        return grpc.unary_unary_rpc_method_handler(
            counted, handler.request_deserializer, handler.response_serializer
        )

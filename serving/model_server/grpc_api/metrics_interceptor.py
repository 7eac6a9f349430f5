"""Counts the gRPC calls that TensorFlow Serving counts: Predict, Classify and Regress."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import grpc

from serving.model_server.metrics import ServerMetrics

_COUNTED = {
    f"/tensorflow.serving.PredictionService/{method}": method
    for method in ("Predict", "Classify", "Regress")
}


class MetricsInterceptor(grpc.ServerInterceptor):
    """Times each call and counts how it ended."""

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Wraps the handler of a method that is counted."""
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

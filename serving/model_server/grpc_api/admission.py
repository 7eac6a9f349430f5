"""Which gRPC calls are taken on, and which threads answer them.

Calls of the PredictionService go to the threads that run models, if these have room. All other
calls, and refusals, are answered by the server's own threads: health is told and a limit is
explained however busy the models are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from serving.model_server.request_pool import RequestPool
from serving.model_server.status_error import StatusError

_Behaviour = Callable[[Any, grpc.ServicerContext], Any]

_PREDICTION = "/tensorflow.serving.PredictionService/"


class AdmissionInterceptor(grpc.ServerInterceptor):
    """Sends each call that runs a model to a pool, or refuses it."""

    def __init__(self, pool: RequestPool) -> None:
        self._pool = pool

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Called when a call arrives, before any thread is found for it."""
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

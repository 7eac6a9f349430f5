"""Bytes that are no request, refused as the caller's mistake; gRPC's own answer would be INTERNAL, as for a defect."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class ReadableRequestsInterceptor(grpc.ServerInterceptor):
    """Answers INVALID_ARGUMENT to a message that cannot be parsed."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Wraps the handler of a method that takes and gives one message."""
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

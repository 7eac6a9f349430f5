"""The connections of a load test, and the one request that is tried before the load."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc

from feature_spec.spec import FeatureSpec
from serving import tf_serving_api
from serving.client.predicted_scores import ranked_list
from serving.client.tls import Tls
from serving.client.transport.channel_pool import ChannelPool
from serving.client.types import RankedList, RankingRequest
from serving.errors import RankingError, server_error

# How long gRPC gives one attempt to connect; the system gives up sooner where nobody answers.
_PATIENCE = ("grpc.min_reconnect_backoff_ms", 600_000)


class NobodyAnswersError(RankingError):
    """No connection to the target could be made."""


@contextmanager
def open_connections(target: str, count: int, tls: Tls | None = None) -> Iterator[list[Any]]:
    """Open connections, and yield the Predict method of each, bytes in and bytes out.

    A server that is slow to accept a connection is waited for; one that refuses it is not.

    Args:
        target: ``host:port`` of the server.
        count: The number of connections.
        tls: The encryption; None for none.

    Raises:
        NobodyAnswersError: A connection is refused, or cannot be made.
        TlsError: A file of the TLS settings cannot be used.
    """
    credentials, options = (tls.credentials(), tls.channel_options) if tls else (None, [])
    pool = ChannelPool(
        grpc, target, count=count, credentials=credentials, options=[*options, _PATIENCE]
    )
    with ExitStack() as stack:
        for channel in pool.channels:
            stack.enter_context(channel)
        for channel in pool.channels:
            _wait_until_connected(channel, target)
        yield [channel.unary_unary(tf_serving_api.PREDICT) for channel in pool.channels]


def _wait_until_connected(channel: grpc.Channel, target: str) -> None:
    states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
    channel.subscribe(states.put, try_to_connect=True)
    try:
        while (state := states.get()) is not grpc.ChannelConnectivity.READY:
            if state in (
                grpc.ChannelConnectivity.TRANSIENT_FAILURE,
                grpc.ChannelConnectivity.SHUTDOWN,
            ):
                raise NobodyAnswersError(
                    f"{target}: no connection; is a model server there, and do both sides use TLS "
                    "or neither?"
                )
    finally:
        channel.unsubscribe(states.put)


def try_one(
    predicts: Sequence[Any],
    *,
    target: str,
    spec: FeatureSpec,
    request: RankingRequest,
    encoded: bytes,
    timeout_s: float,
) -> RankedList:
    """Send one request on every connection, and return the last answer.

    A request that the server cannot answer is thus not sent by the thousand.

    Raises:
        RankingError: The server refused the request, did not answer in time, or gave no scores.
    """
    for predict in predicts:
        try:
            answer = predict(encoded, timeout=timeout_s)
        except grpc.RpcError as error:
            model = tf_serving_api.PredictRequest.FromString(encoded).model_spec.name
            raise server_error(
                error, target=target, model=model, timeout_ms=1000.0 * timeout_s
            ) from error
    return ranked_list(
        spec,
        request,
        [tf_serving_api.PredictResponse.FromString(answer)],
        [len(request.candidates)],
    )

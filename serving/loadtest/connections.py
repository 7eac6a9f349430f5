"""The connections of a load test, and the one request that is tried before the load."""

from __future__ import annotations

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


class NobodyAnswersError(RankingError):
    """No connection to the target could be made."""


@contextmanager
def open_connections(
    target: str, count: int, timeout_s: float, tls: Tls | None = None
) -> Iterator[list[Any]]:
    """Predict, bytes in and bytes out, on each of `count` connections that are up, encrypted if `tls` says how.

    Raises:
        NobodyAnswersError: a connection was not up within `timeout_s`.
        TlsError: a file of the TLS settings cannot be used.
    """
    credentials, options = (tls.credentials(), tls.channel_options) if tls else (None, [])
    pool = ChannelPool(grpc, target, count=count, credentials=credentials, options=options)
    with ExitStack() as stack:
        for channel in pool.channels:
            stack.enter_context(channel)
        for channel in pool.channels:
            try:
                grpc.channel_ready_future(channel).result(timeout=timeout_s)
            except grpc.FutureTimeoutError as error:
                raise NobodyAnswersError(
                    f"{target}: no connection within {timeout_s:g} s; is a model server there?"
                ) from error
        yield [channel.unary_unary(tf_serving_api.PREDICT) for channel in pool.channels]


def try_one(
    predicts: Sequence[Any],
    *,
    target: str,
    spec: FeatureSpec,
    request: RankingRequest,
    encoded: bytes,
    timeout_s: float,
) -> RankedList:
    """The answer to one request on every connection, so that none is sent by the thousand that the server cannot answer.

    Raises:
        RankingError: the server refused it, did not answer in time, or gave no scores.
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

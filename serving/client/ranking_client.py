"""The ranking client: a typed request in, a ranked list out, over TensorFlow Serving's gRPC API.

    with RankingClient("127.0.0.1:8500", load_spec("short_video")) as client:
        ranked = client.rank(RankingRequest(user={"user_id": "u1"},
        candidates=[Candidate(fields={"video_id": "v1"})])) for candidate in ranked:
            print(candidate.rank, candidate.ranking_score, candidate.scores)

It talks to the local model server and to TensorFlow Serving alike, and does not import TensorFlow.
`serving.errors` draws the tree of what it raises; `serving.client.async_client` is the same for
asyncio.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import grpc

from serving.client.base_client import BaseRankingClient
from serving.client.ranked_list import RankedList
from serving.client.ranking_request import RankingRequest
from serving.client.served_model_info import ServedModelInfo
from serving.client.transport.blocking_transport import BlockingTransport


class RankingClient(BaseRankingClient):
    """Ranks candidates with a served model. One client may be used by many threads, not across a fork; close it when done."""

    def _connect(self) -> None:
        self._transport = BlockingTransport(self._channel_pool(grpc))

    def rank(self, request: RankingRequest, *, timeout_ms: float | None = None) -> RankedList:
        """Ranks the candidates of a request, all with one version of the model.

        Args:
            request: whom to rank what for.
            timeout_ms: milliseconds after which to give up. Defaults to the client's.

        Raises:
            RankingError: one of the errors in `serving.errors`.
        """
        return self._transport.run(self._rank_steps(request, timeout_ms))

    def check(self, *, timeout_ms: float | None = None) -> ServedModelInfo:
        """Asks what is served, and makes sure that it follows the client's spec.

        Raises:
            SpecMismatchError: the model was trained with another spec.
            UnusableModelError: the model has no `rank` signature that names its spec.
            RankingError: the call failed.
        """
        return self._transport.run(self._check_steps(timeout_ms))

    def close(self) -> None:
        """Closes the connections. A call still running elsewhere fails."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

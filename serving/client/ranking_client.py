"""The ranking client: a typed request in, a ranked list out, over TensorFlow Serving's gRPC API.

    with RankingClient("127.0.0.1:8500", load_spec("short_video")) as client:
        ranked = client.rank(
            RankingRequest(
                user={"user_id": "u1"}, candidates=[Candidate(fields={"video_id": "v1"})]
            )
        )
    for candidate in ranked:
        print(candidate.rank, candidate.ranking_score, candidate.scores)

`AsyncRankingClient` is the same for asyncio: ``async with`` and ``await client.rank(…)``. It builds
a request and reads an answer on the event loop, which takes about 2 ms for 500 candidates.

Both talk to the local model server and to TensorFlow Serving alike, and import no TensorFlow.
`serving.errors` shows the tree of errors that they raise.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from serving.client.base_client import BaseRankingClient
from serving.client.transport.transports import AsyncTransport, BlockingTransport
from serving.client.types import RankedList, RankingRequest, ServedModelInfo


class RankingClient(BaseRankingClient):
    """Ranks candidates with a served model.

    One client may be used by many threads, but not across a fork. Close it when done.
    """

    def _connect(self) -> None:
        self._transport = BlockingTransport(self._channel_pool(grpc))

    def rank(self, request: RankingRequest, *, timeout_ms: float | None = None) -> RankedList:
        """Rank the candidates of a request, all with one version of the model.

        Args:
            request: The candidates, and the user and context to rank them for.
            timeout_ms: The time limit of the call in milliseconds. Defaults to the client's.

        Raises:
            RankingError: One of the errors in `serving.errors`.
        """
        call = self._call(timeout_ms)
        filled = self._filled(request)
        histories = (
            self._filling.values(filled, call.remaining_s) if self._filling is not None else None
        )
        return self._transport.run(self._rank_steps(request, filled, call, histories))

    def check(self, *, timeout_ms: float | None = None) -> ServedModelInfo:
        """Ask what is served, and make sure that it follows the client's spec.

        Raises:
            SpecMismatchError: The model was trained with another spec.
            UnusableModelError: The model has no `rank` signature that names its spec.
            RankingError: The call failed.
        """
        return self._transport.run(self._check_steps(timeout_ms))

    def close(self) -> None:
        """Close the connections. A call that still runs elsewhere fails."""
        self._transport.close()
        if self._filling is not None:
            self._filling.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncRankingClient(BaseRankingClient):
    """Ranks candidates with a served model, on an event loop.

    A client may be made anywhere. It belongs to the event loop of its first call.
    """

    def _connect(self) -> None:
        self._transport = AsyncTransport(lambda: self._channel_pool(grpc.aio))

    async def rank(self, request: RankingRequest, *, timeout_ms: float | None = None) -> RankedList:
        """Rank the candidates of a request, all with one version of the model.

        Cancelling it cancels what it has sent.

        Args:
            request: The candidates, and the user and context to rank them for.
            timeout_ms: The time limit of the call in milliseconds. Defaults to the client's.

        Raises:
            RankingError: One of the errors in `serving.errors`.
        """
        call = self._call(timeout_ms)
        filled = self._filled(request)
        histories = (
            await self._filling.awaited_values(filled, call.remaining_s)
            if self._filling is not None
            else None
        )
        return await self._transport.run(self._rank_steps(request, filled, call, histories))

    async def check(self, *, timeout_ms: float | None = None) -> ServedModelInfo:
        """Ask what is served, and make sure that it follows the client's spec.

        Raises:
            SpecMismatchError: The model was trained with another spec.
            UnusableModelError: The model has no `rank` signature that names its spec.
            RankingError: The call failed.
        """
        return await self._transport.run(self._check_steps(timeout_ms))

    async def close(self) -> None:
        """Close the connections. A call that still runs elsewhere fails."""
        await self._transport.close()
        if self._filling is not None:
            self._filling.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

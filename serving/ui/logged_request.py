"""A ranking request that comes from logs, as the page offers it."""

from __future__ import annotations

from dataclasses import dataclass

from serving.client.ranking_request import RankingRequest


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """A user in a context, and candidates.

    Attributes:
        label: what people call it: the user's key where the log has one.
        request: without weights; the page gives them.
        shown: how many of the candidates, from the first, this user was shown then. The others were
            shown to other users. 0 where the log does not tell users apart.
    """

    label: str
    request: RankingRequest
    shown: int

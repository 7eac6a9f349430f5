"""The answer to a ranking request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from serving.client.ranking_request import Candidate


@dataclass(frozen=True, kw_only=True)
class RankedCandidate:
    """A candidate and what the model thinks of it.

    Attributes:
        candidate: as it stood in the request.
        position: where it stood in the request, from 0.
        rank: its place in the ranked list, from 1.
        scores: by task, in the spec's order: a probability, or the predicted number of a regression
            task.
        ranking_score: the scores combined by the ranking formula.
    """

    candidate: Candidate
    position: int
    rank: int
    scores: Mapping[str, float]
    ranking_score: float


@dataclass(frozen=True, kw_only=True)
class RankedList:
    """All candidates of a request, best first; of equals, the one that came first in the request.

    Attributes:
        candidates: in the order of their rank.
        model_name: the model that scored them.
        model_version: the one version of it that scored them all.
    """

    candidates: tuple[RankedCandidate, ...]
    model_name: str
    model_version: int

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[RankedCandidate]:
        return iter(self.candidates)

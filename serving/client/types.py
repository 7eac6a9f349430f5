"""The types that the ranking client takes and gives: a request, a ranked list, and the served model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

FieldValue = str | int | float | bool | None | Sequence[str | int | float | bool | None]
"""One value; a list for multi-categorical fields and sequences; None for a missing one."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An item to rank.

    Attributes:
        fields: the item's fields by name; one that is left out is missing.
        id: what the caller calls it. Not sent to the server.
    """

    fields: Mapping[str, FieldValue]
    id: str | int | None = None


@dataclass(frozen=True, kw_only=True)
class RankingRequest:
    """What to rank, and for whom.

    Attributes:
        candidates: at least one.
        user: the user's fields by name; one that is left out is missing.
        context: the fields of the request's context by name.
        weights: exponents of the ranking formula by task, or ``duration``, that replace the model's
            own in this request.
        id: what the caller calls the request. Not sent to the server; a request log samples by it.
    """

    candidates: Sequence[Candidate]
    user: Mapping[str, FieldValue] = field(default_factory=dict)
    context: Mapping[str, FieldValue] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    id: str | int | None = None


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


@dataclass(frozen=True, kw_only=True)
class ServedModelInfo:
    """A model that a server has loaded and that fits the client.

    Attributes:
        name: the model's name.
        version: the version in service when it was asked for.
        weights: the exponents of its ranking formula by task, and ``duration`` if the formula has
            one.
    """

    name: str
    version: int
    weights: Mapping[str, float]

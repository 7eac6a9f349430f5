"""The types of the ranking client: a request, a ranked list, and the served model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from serving.histories.store import HistoryValues

FieldValue = str | int | float | bool | None | Sequence[str | int | float | bool | None]
"""One value; a list for multi-categorical fields and sequences; None for a missing one."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An item to rank.

    Attributes:
        fields: The item's fields by name. A field that is left out is missing.
        id: The caller's id of the candidate. It is not sent to the server.
        display: A text for people, such as a title. It is not sent to the server.
    """

    fields: Mapping[str, FieldValue]
    id: str | int | None = None
    display: str | None = None


@dataclass(frozen=True, kw_only=True)
class RankingRequest:
    """A ranking request: candidates for one user in one context.

    Attributes:
        candidates: The candidates, at least one.
        user: The user's fields by name. A field that is left out is missing.
        context: The fields of the request's context by name.
        weights: Exponents of the ranking formula by task, or ``duration``, that replace the model's
            own in this request.
        id: The caller's id of the request. It is not sent to the server; a request log samples by
            it.
        at_s: The time of the request in seconds since the Unix epoch, as of which histories are
            read, and whose parts fields `from: event_time` are. Defaults to now.
    """

    candidates: Sequence[Candidate]
    user: Mapping[str, FieldValue] = field(default_factory=dict)
    context: Mapping[str, FieldValue] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    id: str | int | None = None
    at_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class RankedCandidate:
    """A candidate with its rank and the scores that the model gave it.

    Attributes:
        candidate: The candidate of the request.
        position: The candidate's position in the request, from 0.
        rank: The candidate's rank in the list, from 1.
        scores: The score of each task, in the spec's order: a probability, or the predicted number
            of a regression task. Then the joint probability ``joint_of_<task>`` of each task that
            is given another.
        ranking_score: The scores combined by the ranking formula. Where single precision cannot
            hold it, it is 0 or the largest number there is.
        log_ranking_score: The logarithm of the ranking score, which gives the order; None from a
            model that was exported before there was one.
    """

    candidate: Candidate
    position: int
    rank: int
    scores: Mapping[str, float]
    ranking_score: float
    log_ranking_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class RankedList:
    """All candidates of a request, best first; of equals, the one that came first in the request.

    The order is that of the log ranking scores.

    Attributes:
        candidates: The candidates, in the order of their rank.
        model_name: The name of the model that scored the candidates.
        model_version: The version of the model that scored all candidates.
        histories: The fields of histories that were filled in; None if the client has no store, or
            ranked without them. Values of the request came before them.
    """

    candidates: tuple[RankedCandidate, ...]
    model_name: str
    model_version: int
    histories: HistoryValues | None = None

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[RankedCandidate]:
        return iter(self.candidates)

    @overload
    def __getitem__(self, place: int) -> RankedCandidate: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[RankedCandidate, ...]: ...

    def __getitem__(self, place: int | slice) -> RankedCandidate | tuple[RankedCandidate, ...]:
        """Return the candidate at a place of the list, from 0, or those of a slice."""
        return self.candidates[place]


@dataclass(frozen=True, kw_only=True)
class ServedModelInfo:
    """A model that a server has loaded and that fits the client.

    Attributes:
        name: The model's name.
        version: The version in service at the time of the call.
        weights: The exponents of the model's ranking formula by task, and by ``duration`` if the
            formula has one.
    """

    name: str
    version: int
    weights: Mapping[str, float]

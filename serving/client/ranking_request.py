"""A ranking request: one user in one context, and the candidates to rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

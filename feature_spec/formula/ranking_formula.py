"""The ranking formula: how a candidate's scores become one ranking score (PLE, Eq 1)."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat

from feature_spec.strict_model import StrictModel


class DurationFactor(StrictModel):
    """The factor f(duration)^weight of PLE Eq 1. A missing duration leaves the ranking score as it is.

    Attributes:
        field: the numeric item field that holds the duration.
        transform: f over duration / scale: `none` (as it is), `log1p` or `sigmoid`.
        scale: divides the duration first, in the field's own unit.
        weight: exponent of the factor.
    """

    field: str
    transform: Literal["none", "log1p", "sigmoid"] = "log1p"
    scale: PositiveFloat = 1.0
    weight: float = 1.0


class RankingFormula(StrictModel):
    """ranking score = Π_k score_k ^ weights[k] · f(duration).

    Attributes:
        weights: exponent of each task's score; a task that is not named has 0. A request may
            override each one.
        duration: the duration's factor, if any.
    """

    weights: dict[str, float]
    duration: DurationFactor | None = None

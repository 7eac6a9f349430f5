"""The ranking formula (PLE, Eq 1), and its terms for one candidate.

The formula combines the scores of a candidate into one ranking score. In log space, where the
exported model computes it too,

    log ranking score = Σ_k w_k · log max(score_k, ε_k) + w_d · log max(f(duration / scale), ε)

with ε = SCORE_FLOOR, also for the numbers of regression tasks, and ε_k = PROBABILITY_FLOOR for
probabilities. So a score of 0 lowers a candidate without wiping out its other tasks, a weight of 0
leaves a task out, and a missing duration adds nothing. Candidates are ordered by the log ranking
score, everywhere: the score itself is 0 or infinite in float32 where its logarithm is far from 0.
The functions here are pure Python in double precision: they serve explanations and tests, not
ranking.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from feature_spec.strict_model import Float32, PositiveFloat32, StrictModel


class DurationFactor(StrictModel):
    """The factor f(duration)^weight of PLE Eq 1.

    A missing duration leaves the ranking score as it is.

    Attributes:
        field: the numeric item field that holds the duration.
        transform: f over duration / scale: `none` (unchanged), `log1p` or `sigmoid`.
        scale: divides the duration first, in the field's own unit.
        weight: the exponent of the factor.
    """

    field: str
    transform: Literal["none", "log1p", "sigmoid"] = "log1p"
    scale: PositiveFloat32 = 1.0
    weight: Float32 = 1.0


class RankingFormula(StrictModel):
    """The formula: ranking score = Π_k score_k ^ weights[k] · f(duration).

    Attributes:
        weights: the exponent of each task's score; a task that is not named has 0. A request may
            override each exponent.
        duration: the factor of the duration, if there is one.
    """

    weights: dict[str, Float32]
    duration: DurationFactor | None = None


SCORE_FLOOR = 1e-6
# The least number that float32 holds with all its digits: rare events have small probabilities,
# whose order counts as that of all others does.
PROBABILITY_FLOOR = 2.0**-126
# A network in float32 gives log scores to about a millionth, and not the same ones at each place
# of a batch. Log ranking scores are multiples of this times Σ |w_k|, so that candidates that differ
# by less are equals.
LOG_SCORE_STEP = 2.0**-20
DURATION = "duration"


@dataclass(frozen=True, kw_only=True)
class FormulaTerm:
    """One factor of a ranking score.

    Attributes:
        name: the task's name, or ``duration``.
        value: the task's score, or f(duration / scale); None if the duration is missing.
        weight: the exponent.
        log_factor: weight · log max(value, ε), a summand of the log ranking score; 0 if the value
            is missing.
    """

    name: str
    value: float | None
    weight: float
    log_factor: float

    @property
    def factor(self) -> float:
        """The term's factor in the product: value ^ weight."""
        return _exp(self.log_factor)


def transformed_duration(factor: DurationFactor, duration: float) -> float:
    """Return f(duration / scale); 0 where log1p is undefined (a scaled duration of -1 or less)."""
    scaled = duration / factor.scale
    if factor.transform == "log1p":
        return math.log1p(scaled) if scaled > -1.0 else 0.0
    if factor.transform == "sigmoid":
        return (
            1.0 / (1.0 + math.exp(-scaled))
            if scaled >= 0.0
            else math.exp(scaled) / (1.0 + math.exp(scaled))
        )
    return scaled


def weights_in_force(
    formula: RankingFormula, tasks: Iterable[str], overrides: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the exponent of every task, then of ``duration`` if the formula has that factor.

    Args:
        formula: gives the exponents that are not overridden.
        tasks: names of the tasks; one that the formula does not name has the exponent 0.
        overrides: exponents that replace the formula's, by task or ``duration``.
    """
    own = {task: formula.weights.get(task, 0.0) for task in tasks}
    if formula.duration is not None:
        own[DURATION] = formula.duration.weight
    return {name: (overrides or {}).get(name, weight) for name, weight in own.items()}


def formula_terms(
    formula: RankingFormula,
    scores: Mapping[str, float],
    duration: float | None = None,
    overrides: Mapping[str, float] | None = None,
    *,
    floors: Mapping[str, float] | None = None,
) -> list[FormulaTerm]:
    """Return the terms of one candidate's ranking score, in the order of `scores`, duration last.

    Args:
        formula: the spec's formula.
        scores: the candidate's scores by task.
        duration: in the unit of the duration's field; None or NaN if missing.
        overrides: exponents by task or ``duration`` that replace the formula's.
        floors: ε_k by task, as `FeatureSpec.score_floors` gives them; SCORE_FLOOR for the others.
    """
    weights = weights_in_force(formula, scores, overrides)
    terms = [
        _term(task, score, weights[task], (floors or {}).get(task, SCORE_FLOOR))
        for task, score in scores.items()
    ]
    if formula.duration is not None:
        value = (
            None
            if duration is None or math.isnan(duration)
            else transformed_duration(formula.duration, duration)
        )
        terms.append(_term(DURATION, value, weights[DURATION], SCORE_FLOOR))
    return terms


def ranking_score(terms: Iterable[FormulaTerm]) -> float:
    """Return the ranking score: the product of all factors."""
    return _exp(log_ranking_score(terms))


def log_ranking_score(terms: Iterable[FormulaTerm]) -> float:
    """Return the logarithm of the ranking score, which gives the order of candidates."""
    return math.fsum(term.log_factor for term in terms)


def _term(name: str, value: float | None, weight: float, floor: float) -> FormulaTerm:
    log_factor = 0.0 if value is None else weight * math.log(max(value, floor))
    return FormulaTerm(name=name, value=value, weight=weight, log_factor=log_factor)


def _exp(exponent: float) -> float:
    """Return e to a power; infinity on overflow."""
    try:
        return math.exp(exponent)
    except OverflowError:
        return math.inf

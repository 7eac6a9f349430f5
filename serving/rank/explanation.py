"""Why a candidate stands where it stands: what each task, and the duration, contributes to its ranking score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from feature_spec.formula.formula_terms import FormulaTerm, formula_terms, ranking_score
from feature_spec.spec import FeatureSpec
from serving.client.ranked_list import RankedCandidate
from serving.client.request_values import value_reader

# The model computes in single precision, in which logarithms of small scores and their sum lose a
# few digits.
_RELATIVE_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One candidate's ranking score taken apart.

    Attributes:
        candidate: the candidate.
        terms: one a task, in the spec's order, then the duration's if the formula has one.
    """

    candidate: RankedCandidate
    terms: list[FormulaTerm]

    @property
    def product(self) -> float:
        """The ranking score that the terms multiply to."""
        return ranking_score(self.terms)

    @property
    def agrees(self) -> bool:
        """Whether the terms multiply to the model's own ranking score; not if its formula differs from the one used here."""
        return math.isclose(self.product, self.candidate.ranking_score, rel_tol=_RELATIVE_TOLERANCE)


def explain(
    spec: FeatureSpec, candidate: RankedCandidate, weights: Mapping[str, float]
) -> Explanation:
    """Takes a ranking score apart by the spec's formula.

    Args:
        spec: whose formula the model uses.
        candidate: with its scores.
        weights: exponents by task or ``duration`` that were in force, where they differ from the
            spec's: the served model's (`RankingClient.check`), replaced by those of the request.
    """
    duration = spec.ranking_formula.duration
    duration_value = None
    if duration is not None:
        duration_value = value_reader(spec, spec.fields[duration.field])(
            candidate.candidate.fields.get(duration.field)
        )
    terms = formula_terms(spec.ranking_formula, candidate.scores, duration_value, weights)
    return Explanation(candidate=candidate, terms=terms)

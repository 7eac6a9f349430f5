"""A ranked list as tables and as JSON, with the parts of each ranking score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from feature_spec.formula import FormulaTerm, formula_terms, log_ranking_score, ranking_score
from feature_spec.spec import FeatureSpec
from serving.client.request_tensors import value_reader
from serving.client.types import RankedCandidate, RankedList

# The model computes in single precision, in which logarithms of small scores and their sum lose a
# few digits.
_RELATIVE_TOLERANCE = 1e-3
_LOG_TOLERANCE = 1e-5
_LARGEST_LOG = 87.0


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One candidate's ranking score taken apart.

    Attributes:
        candidate: The candidate.
        terms: A term for each task, in the spec's order, then one for the duration if the formula
            has one.
    """

    candidate: RankedCandidate
    terms: list[FormulaTerm]

    @property
    def product(self) -> float:
        """The ranking score that the terms multiply to."""
        return ranking_score(self.terms)

    @property
    def agrees(self) -> bool:
        """True if the terms multiply to the model's ranking score; False if its formula differs."""
        log_score = self.candidate.log_ranking_score
        if log_score is None:
            return math.isclose(
                self.product, self.candidate.ranking_score, rel_tol=_RELATIVE_TOLERANCE
            )
        # The score itself may be beyond single precision.
        return math.isclose(
            log_ranking_score(self.terms),
            log_score,
            rel_tol=_LOG_TOLERANCE,
            abs_tol=_RELATIVE_TOLERANCE,
        )


def explain(
    spec: FeatureSpec, candidate: RankedCandidate, weights: Mapping[str, float]
) -> Explanation:
    """Take a ranking score apart by the spec's formula.

    Args:
        spec: The feature spec with the model's formula.
        candidate: The candidate with its scores.
        weights: The exponents in force by task or ``duration``, where they differ from the spec's:
            the served model's (`RankingClient.check`), replaced by those of the request.
    """
    duration = spec.ranking_formula.duration
    duration_value = None
    if duration is not None:
        duration_value = value_reader(spec, spec.fields[duration.field])(
            candidate.candidate.fields.get(duration.field)
        )
    terms = formula_terms(
        spec.ranking_formula,
        candidate.scores,
        duration_value,
        weights,
        floors=spec.score_floors(),
    )
    return Explanation(candidate=candidate, terms=terms)


def candidate_label(candidate: RankedCandidate) -> str:
    """Return the caller's id of a candidate, or else its place in the request, and its text."""
    label = (
        f"candidates[{candidate.position}]"
        if candidate.candidate.id is None
        else str(candidate.candidate.id)
    )
    return (
        f"{label} {escape(candidate.candidate.display)}" if candidate.candidate.display else label
    )


def ranking_table(ranked: RankedList) -> Table:
    """Make a table of the candidates, best first, with all their scores."""
    table = Table(
        title=f"{ranked.model_name}, version {ranked.model_version}", title_justify="left"
    )
    table.add_column("rank", justify="right")
    table.add_column("candidate")
    for task in ranked.candidates[0].scores:
        table.add_column(task, justify="right")
    table.add_column("ranking score", justify="right", style="bold")
    for candidate in ranked:
        scores = [_number(score) for score in candidate.scores.values()]
        table.add_row(
            str(candidate.rank),
            candidate_label(candidate),
            *scores,
            _ranking_score_text(candidate.ranking_score, candidate.log_ranking_score),
        )
    return table


def explanation_table(explanations: Sequence[Explanation]) -> Table:
    """Make a table of the terms of each candidate: the factor, and below it its logarithm."""
    table = Table(
        title="ranking score = product of the factors; below, their logarithms, which add up",
        title_justify="left",
    )
    table.add_column("rank", justify="right")
    table.add_column("candidate")
    for term in explanations[0].terms:
        table.add_column(f"{term.name} ^ {term.weight:g}", justify="right")
    table.add_column("product", justify="right", style="bold")
    for explanation in explanations:
        factors = [
            f"{_number(term.factor)}\n[dim]{term.log_factor:+.3f}[/dim]"
            for term in explanation.terms
        ]
        log_total = sum(term.log_factor for term in explanation.terms)
        product = _ranking_score_text(explanation.product, log_total)
        total = f"{product}\n[dim]{log_total:+.3f}[/dim]"
        candidate = explanation.candidate
        table.add_row(str(candidate.rank), candidate_label(candidate), *factors, total)
    return table


def report(ranked: RankedList, explanations: Sequence[Explanation] | None = None) -> dict[str, Any]:
    """Return a ranked list, and its explanations, as JSON for programs."""
    rows = []
    for index, candidate in enumerate(ranked):
        row: dict[str, Any] = {
            "rank": candidate.rank,
            "id": candidate.candidate.id,
            **({"display": candidate.candidate.display} if candidate.candidate.display else {}),
            "position": candidate.position,
            "scores": dict(candidate.scores),
            "ranking_score": candidate.ranking_score,
            "log_ranking_score": candidate.log_ranking_score,
        }
        if explanations is not None:
            explanation = explanations[index]
            row["terms"] = [
                {
                    "name": t.name,
                    "value": t.value,
                    "weight": t.weight,
                    "factor": t.factor,
                    "log_factor": t.log_factor,
                }
                for t in explanation.terms
            ]
            row["product"] = explanation.product
        rows.append(row)
    return {"model": ranked.model_name, "version": ranked.model_version, "ranking": rows}


def _ranking_score_text(score: float, log_score: float | None) -> str:
    """Return a ranking score; as a power of e where single precision does not hold it."""
    if log_score is None or abs(log_score) < _LARGEST_LOG:
        return _number(score)
    return f"e^{log_score:.4g}"


def _number(value: float) -> str:
    return f"{value:.4f}" if 0.001 <= abs(value) < 10000 or value == 0 else f"{value:.3g}"

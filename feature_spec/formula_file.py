"""A ranking formula in a file of its own: a spec's section `ranking_formula`, to be sent with requests or put into the spec."""

from __future__ import annotations

from pathlib import Path

import yaml

from feature_spec.formula.formula_terms import DURATION, weights_in_force
from feature_spec.formula.ranking_formula import RankingFormula
from feature_spec.loading import SpecError, validated_yaml
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import StrictModel, closest_names


class _FormulaFile(StrictModel):
    ranking_formula: RankingFormula


def load_formula(path: Path) -> RankingFormula:
    """Reads a formula file.

    Raises:
        SpecError: the file cannot be read or does not hold a ranking formula.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from error
    return validated_yaml(_FormulaFile, text, str(path), "a formula file").ranking_formula


def formula_text(formula: RankingFormula, *comments: str) -> str:
    """A formula as YAML, below lines of comment."""
    content = yaml.safe_dump(
        {"ranking_formula": formula.model_dump(mode="json", exclude_none=True)}, sort_keys=False
    )
    return "".join(f"# {comment}\n" for comment in comments) + content


def request_weights(formula: RankingFormula, spec: FeatureSpec, source: Path) -> dict[str, float]:
    """The exponents that make a model of `spec` rank by `formula`, whatever its own are.

    Args:
        formula: from a file.
        spec: of the model that is asked.
        source: the file, for errors.

    Raises:
        SpecError: the formula has a task that the spec has not, or transforms the duration
            otherwise, which no request can.
    """
    for task in formula.weights:
        if task not in spec.tasks:
            raise SpecError(
                f"{source}: weights.{task}: spec {spec.name} has no such task: {closest_names(task, spec.tasks)}"
            )
    own = spec.ranking_formula.duration
    if formula.duration is not None and (
        own is None
        or own.model_copy(update={"weight": formula.duration.weight}) != formula.duration
    ):
        raise SpecError(
            f"{source}: duration: a request can change its weight only: received {formula.duration!r}; spec {spec.name} has "
            f"{own!r}"
        )
    weights = weights_in_force(formula, spec.tasks)
    return weights if own is None else {DURATION: 0.0, **weights}

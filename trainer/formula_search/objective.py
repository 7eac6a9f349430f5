"""Objectives of a formula search, declared as ``share`` or ``completion*duration``."""

from __future__ import annotations

from dataclasses import dataclass

from feature_spec.formula import DURATION
from feature_spec.spec import FeatureSpec
from feature_spec.strict_model import closest_names


class FormulaSearchError(ValueError):
    """The objectives do not fit the model, or the logged exposures cannot tell formulas apart."""


@dataclass(frozen=True)
class Objective:
    """An observed label, summed over the exposures that a formula puts first.

    Attributes:
        task: the task of the label. An exposure outside the task's sample space brings 0.
        times_duration: whether each label is multiplied by the exposure's duration, in the unit of
            the formula's duration field: a task that is the watched share of an item then stands
            for watch time. A missing duration brings 0.
        is_minimised: whether less of it is better, as of dislikes and reports.
    """

    task: str
    times_duration: bool = False
    is_minimised: bool = False

    @property
    def name(self) -> str:
        """The objective as it is declared."""
        return f"{self.task}*{DURATION}" if self.times_duration else self.task

    @property
    def option(self) -> str:
        """The option that declares such an objective."""
        return "--minimise" if self.is_minimised else "--objective"


def parse_objective(text: str, spec: FeatureSpec, *, is_minimised: bool = False) -> Objective:
    """Parse ``task`` or ``task*duration``.

    Args:
        text: the text of an option.
        spec: the feature spec.
        is_minimised: whether less of it is better.

    Raises:
        FormulaSearchError: there is no such task or factor, or the formula has no duration.
    """
    task, star, factor = (part.strip() for part in text.partition("*"))
    objective = Objective(task, bool(star), is_minimised)
    option = objective.option
    if task not in spec.tasks:
        raise FormulaSearchError(
            f"{option} {text}: no such task: {closest_names(task, spec.tasks)}"
        )
    if star and factor != DURATION:
        raise FormulaSearchError(
            f"{option} {text}: a task may be multiplied by {DURATION!r} only, received {factor!r}"
        )
    if star and spec.ranking_formula.duration is None:
        raise FormulaSearchError(
            f"{option} {text}: the model's ranking formula names no duration field to multiply "
            f"by; valid: {task}"
        )
    return objective

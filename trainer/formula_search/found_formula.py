"""What `fulcrum tune-formula` found, as data. Importing this does not load TensorFlow."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from feature_spec.formula import RankingFormula


class _Part(pydantic.BaseModel):
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(frozen=True, extra="forbid")


class ExposureCounts(_Part):
    """Where the logged exposures went.

    Attributes:
        logged: all = without_key + in_groups_left_out + searched + held_out.
        without_key: those that lack what makes a group.
        in_groups_left_out: those in groups whose order makes no difference, such as groups of one.
        searched: those that the weights were chosen by.
        held_out: those that the differences are measured on.
    """

    logged: int
    without_key: int
    in_groups_left_out: int
    searched: int
    held_out: int


class GroupCounts(_Part):
    """Where the groups went: left_out + searched + held_out = all; and how many users (or groups) are held out."""

    left_out: int
    searched: int
    held_out: int
    held_out_units: int


class Difference(_Part):
    """One objective on the held-out groups: its mean a group, and the difference to the current formula with its interval."""

    objective: str
    current: float
    found: float
    difference: float
    lower: float
    upper: float

    @property
    def relative(self) -> float | None:
        """The difference as a share of the current value; None where that is 0."""
        return self.difference / self.current if self.current else None

    @property
    def verdict(self) -> Literal["gain", "loss", "within noise"]:
        """Whether the interval lies above, below or around 0."""
        return "gain" if self.lower > 0.0 else "loss" if self.upper < 0.0 else "within noise"


class FrontPoint(_Part):
    """Weights that none tried beats on every objective.

    Attributes:
        weights: by task, and ``duration``.
        searched: each objective's mean on the searched groups, by which the point is on the front.
        held_out: each objective on the held-out groups.
    """

    weights: dict[str, float]
    searched: dict[str, float]
    held_out: list[Difference]


class FoundFormula(_Part):
    """The result of a search.

    Attributes:
        spec: its name.
        folder: of the SavedModel.
        group_by: what makes a group.
        top_k: ranks that count.
        discount: of a rank.
        trials: weights that were tried.
        seed: of the search, the division into searched and held-out, and the bootstrap.
        exposures: where they went.
        groups: where they went.
        current: the weights in the model.
        front: the Pareto front over the searched groups.
        chosen: position in the front of the point whose smallest relative gain over the objectives
            is largest there.
        formula: the chosen point as a formula.
    """

    spec: str
    folder: str
    group_by: str
    top_k: int
    discount: str
    trials: int
    seed: int
    exposures: ExposureCounts
    groups: GroupCounts
    current: dict[str, float]
    front: list[FrontPoint]
    chosen: int
    formula: RankingFormula

    @property
    def found(self) -> FrontPoint:
        """The chosen point."""
        return self.front[self.chosen]

"""The result of `fulcrum tune-formula`, as data. Importing this does not load TensorFlow."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from feature_spec.formula import RankingFormula

_FEWEST_UNITS = 5


class _Part(pydantic.BaseModel):
    model_config: ClassVar[pydantic.ConfigDict] = pydantic.ConfigDict(frozen=True, extra="forbid")


class ExposureCounts(_Part):
    """The numbers of logged exposures by their use.

    Attributes:
        logged: all exposures = without_key + in_groups_left_out + searched + held_out.
        without_key: exposures without the keys that make a group.
        in_groups_left_out: exposures in groups whose order makes no difference, such as groups of
            one.
        searched: exposures by which the weights were chosen.
        held_out: exposures on which the differences are measured.
    """

    logged: int
    without_key: int
    in_groups_left_out: int
    searched: int
    held_out: int


class GroupCounts(_Part):
    """The numbers of groups by their use: left_out + searched + held_out = all.

    `held_out_units` is the number of held-out users (or groups).
    """

    left_out: int
    searched: int
    held_out: int
    held_out_units: int


class Difference(_Part):
    """One objective on the held-out groups: means, and their difference with its interval.

    Attributes:
        objective: the objective.
        current: the mean with the formula in the model.
        found: the mean with the found one.
        difference: found − current.
        lower: the lower end of the interval.
        upper: the upper end of the interval.
        units: the users (or groups) that the interval was drawn from; None in older results.
        minimised: whether less of the objective is better.
    """

    objective: str
    current: float
    found: float
    difference: float
    lower: float
    upper: float
    units: int | None = None
    minimised: bool = False

    @property
    def relative(self) -> float | None:
        """The difference as a share of the current value; None if that is 0."""
        return self.difference / self.current if self.current else None

    @property
    def verdict(self) -> Literal["gain", "loss", "within noise", "cannot tell"]:
        """The verdict: the interval lies on the better side of 0, on the worse, or around it.

        Nobody can tell from a handful of users, or where all of them differ by the same.
        """
        few = self.units is not None and self.units < _FEWEST_UNITS
        if self.difference and (few or self.lower == self.upper):
            return "cannot tell"
        above, below = self.lower > 0.0, self.upper < 0.0
        if self.minimised:
            above, below = below, above
        return "gain" if above else "loss" if below else "within noise"


class FrontPoint(_Part):
    """A weighting that no other one beats on every objective.

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
        spec: the name of the spec.
        folder: the folder of the SavedModel.
        group_by: the kind of group whose exposures compete.
        top_k: the number of ranks that count.
        discount: the discount of a rank.
        trials: the number of weightings that were tried.
        seed: the seed of the search, of the division into searched and held-out, and of the
            bootstrap.
        exposures: the numbers of exposures by their use.
        groups: the numbers of groups by their use.
        current: the weights in the model.
        front: the Pareto front over the searched groups.
        chosen: the position in the front of the point whose smallest relative gain over the
            objectives is largest.
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

    @property
    def reason_to_keep(self) -> str | None:
        """Why the current weights should stay; None if the found ones lose nothing beyond noise.

        Held-out users decide, by whom nothing was chosen.
        """
        if self.found.weights == self.current:
            return "no weights tried are better on every objective"
        for verdict, text in (
            ("loss", "the found weights lose {} on users that the search has not seen"),
            ("cannot tell", "there are too few users to tell what becomes of {}"),
        ):
            names = [one.objective for one in self.found.held_out if one.verdict == verdict]
            if names:
                return text.format(", ".join(names))
        return None

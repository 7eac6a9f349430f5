"""How a model is judged beyond each task's own metric: the quality of the ranking, and slices of the evaluation split."""

from __future__ import annotations

import bisect
import math
from itertools import pairwise
from typing import Annotated, Literal, Self

import pydantic
from pydantic import PositiveFloat, PositiveInt, model_validator

from feature_spec.strict_model import StrictModel

# The slice of examples that have no value of the field.
MISSING = "missing"


class Ndcg(StrictModel):
    """NDCG@k of the ranking score.

    Attributes:
        k: places of a ranked list that count.
        by: whose examples are ranked against each other: those of one `request` or of one `user`.
        relevance: weight by task; an example's gain is the weighted sum of its labels, outside a
            task's sample space 0.
    """

    k: PositiveInt = 10
    by: Literal["request", "user"] = "user"
    relevance: Annotated[dict[str, PositiveFloat], pydantic.Field(min_length=1)]


class Slice(StrictModel):
    """Slices of the evaluation split, one for each value of a field.

    Attributes:
        field: a categorical field with few values, or a numeric one with `boundaries`.
        boundaries: where one slice of a numeric field ends and the next begins, which holds the
            boundary; ascending.
        protected: whether each of these slices may refuse a model, as the whole split does, by a
            loss against the blessed one.
    """

    field: str
    boundaries: Annotated[list[float], pydantic.Field(min_length=1)] | None = None
    protected: bool = False

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.boundaries and any(lower >= upper for lower, upper in pairwise(self.boundaries)):
            raise ValueError(f"'boundaries' must ascend, received {self.boundaries}")
        return self

    @property
    def numeric_names(self) -> list[str]:
        """The names of a numeric field's slices in ascending order; [] for a categorical field."""
        if not self.boundaries:
            return []
        between = [f"{lower:g} to {upper:g}" for lower, upper in pairwise(self.boundaries)]
        return [f"below {self.boundaries[0]:g}", *between, f"{self.boundaries[-1]:g} and above"]

    def numeric_name(self, number: float | None) -> str:
        """The slice of a number; that of examples without a value for None and NaN."""
        if number is None or math.isnan(number):
            return MISSING
        return self.numeric_names[bisect.bisect_right(self.boundaries or [], number)]


class Evaluation(StrictModel):
    """What is measured on the evaluation split beside the metrics of each task.

    Attributes:
        ndcg: the quality of the ranking score's order; not measured where left out.
        slices: measured like the whole evaluation split.
    """

    ndcg: Ndcg | None = None
    slices: list[Slice] = []

"""Which negatives train a model, where there are more than it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import pydantic
from pydantic import model_validator

from feature_spec.strict_model import StrictModel

Rate = Annotated[float, pydantic.Field(gt=0.0, le=1.0)]


class Sampling(StrictModel):
    """Negative down-sampling of the training and validation examples; the exported model's scores undo it.

    A negative of a task, an example with label 0, stays in the task's sample space with the task's
    rate. An example that no task keeps is not written.

    Attributes:
        negative_rate: one rate for all binary tasks. A regression task then keeps an equal share of
            all its examples.
        negative_rates: rates by binary task; a task that is not named keeps all its examples.
            Excludes `negative_rate`.
    """

    negative_rate: Rate | None = None
    negative_rates: Annotated[dict[str, Rate], pydantic.Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way_to_sample(self) -> Self:
        if (self.negative_rate is None) == (self.negative_rates is None):
            raise ValueError("needs either 'negative_rate' or 'negative_rates'")
        return self

    def rates(self, kinds: Mapping[str, str]) -> dict[str, float]:
        """The share of its negatives that each sampled task keeps, given the kinds of all tasks by name."""
        if self.negative_rate is None:
            return dict(self.negative_rates or {})
        return {task: self.negative_rate for task, kind in kinds.items() if kind == "binary"}

"""What a search for better settings may change, and what it is after."""

from __future__ import annotations

from typing import Any, Literal, Self

import pydantic
from pydantic import NonNegativeFloat, PositiveInt, model_validator

from feature_spec.strict_model import StrictModel


class SearchDimension(StrictModel):
    """The values that one setting may take: a list, or a range.

    Attributes:
        values: the list; any YAML values, such as ``[[32], [64, 32]]``.
        minimum: the range's lower end; whole numbers where both ends are.
        maximum: its upper end, which belongs to it.
        scale: how a range is covered: `linear`, or `log` where factors count rather than
            differences.
    """

    values: list[Any] | None = pydantic.Field(default=None, min_length=1)
    minimum: int | float | None = None
    maximum: int | float | None = None
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _list_or_range(self) -> Self:
        is_range = {"minimum", "maximum", "scale"} & self.model_fields_set
        if self.values is not None:
            if is_range:
                raise ValueError("has both 'values' and a range; give one of them")
        elif self.minimum is None or self.maximum is None:
            raise ValueError("needs 'values', or 'minimum' and 'maximum'")
        elif self.minimum >= self.maximum:
            raise ValueError(f"'minimum' {self.minimum} is not below 'maximum' {self.maximum}")
        elif self.scale == "log" and self.minimum <= 0:
            raise ValueError(
                f"a range with 'scale: log' must begin above 0, received {self.minimum}"
            )
        return self

    @property
    def extremes(self) -> list[Any]:
        """Values that are all valid only if all of the dimension are: the list, or both ends."""
        return [self.minimum, self.maximum] if self.values is None else self.values


class Tuner(StrictModel):
    """A search over settings of `model` and `trainer`, made by `fulcrum run --tune`.

    Attributes:
        search: what may change, by path, such as ``trainer.learning_rate``.
        objective: `smallest_mtl_gain`, that of the task that gains least over a network trained on
            it alone, so that no task is bought with another; or `weighted_sum` of the tasks'
            metrics.
        weights: by task, of `weighted_sum`; a task that is not named has weight 0.
        max_trials: settings to try at most, the spec's own among them.
        algorithm: `bayesian` (a Gaussian process over the trials so far) or `random`.
        seed: of the search.
    """

    search: dict[str, SearchDimension] = pydantic.Field(min_length=1)
    objective: Literal["smallest_mtl_gain", "weighted_sum"] = "smallest_mtl_gain"
    weights: dict[str, NonNegativeFloat] = {}
    max_trials: PositiveInt = 20
    algorithm: Literal["bayesian", "random"] = "bayesian"
    seed: PositiveInt = 1

    @model_validator(mode="after")
    def _weights_have_an_effect(self) -> Self:
        if self.objective == "weighted_sum" and not any(self.weights.values()):
            raise ValueError("objective 'weighted_sum' needs 'weights' above 0")
        if self.objective != "weighted_sum" and self.weights:
            raise ValueError(
                f"'weights' only works with objective 'weighted_sum', received {self.objective!r}"
            )
        return self

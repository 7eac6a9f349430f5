"""How far the distribution of a field may be from what it was in training."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pydantic
from pydantic import model_validator

from feature_spec.strict_model import StrictModel

Distance = Annotated[float, pydantic.Field(gt=0.0, le=1.0)]
Measure = Literal["l_infinity", "jensen_shannon"]


class DistributionThreshold(StrictModel):
    """The largest distance between two distributions of a field's values; a missing value is none. One measure a field.

    Attributes:
        l_infinity: of the shares of any one value, the largest difference. Not for numbers.
        jensen_shannon: the Jensen–Shannon divergence, in bits; of numbers by histogram.
    """

    l_infinity: Distance | None = None
    jensen_shannon: Distance | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.l_infinity is None) == (self.jensen_shannon is None):
            raise ValueError("needs one of 'l_infinity' and 'jensen_shannon'")
        return self

    @property
    def measure(self) -> Measure:
        """The one that is given."""
        return "jensen_shannon" if self.l_infinity is None else "l_infinity"

    @property
    def limit(self) -> float:
        """Its threshold."""
        limit: float = getattr(self, self.measure)
        return limit


class Skew(StrictModel):
    """Served requests against the examples that the model was trained on.

    Attributes:
        thresholds: by field.
    """

    thresholds: dict[str, DistributionThreshold] = {}


class Drift(StrictModel):
    """The examples to train on against those of the last run that pushed a model.

    Attributes:
        thresholds: by field.
        stops_run: whether a field beyond its threshold stops the run before it trains.
    """

    thresholds: dict[str, DistributionThreshold] = {}
    stops_run: bool = False

    @model_validator(mode="after")
    def _stop_has_a_reason(self) -> Self:
        if self.stops_run and not self.thresholds:
            raise ValueError("'stops_run' needs 'thresholds'")
        return self

"""The smaller sections of a spec: evaluation, drift and skew, spans, the tuner and serving."""

from __future__ import annotations

import bisect
import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

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


class Spans(StrictModel):
    """How `fulcrum run --span` and `fulcrum backfill` put days together.

    Attributes:
        window_days: the days of logs that a model is trained on, right before the day that judges
            it; fewer where the logs begin later.
    """

    window_days: PositiveInt = 7


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


class Serving(StrictModel):
    """Ranking requests as they will come, and how fast and how exactly they must be answered.

    Attributes:
        candidate_counts: candidates of small, usual and the largest requests. The export carries a
            warm-up request of each, and the check before a push tries each.
        latency_budget_ms: the longest time that 99 of 100 ranking requests of any of these sizes
            may take over gRPC, on the machine that runs the pipeline.
        score_tolerance: the largest difference between a served score and the trainer's: absolute,
            and relative above 1. More than the rounding of float32 only for models that are
            exported in half precision.
    """

    candidate_counts: Annotated[list[PositiveInt], pydantic.Field(min_length=1)] = [1, 100, 500]
    latency_budget_ms: PositiveFloat = 500.0
    score_tolerance: NonNegativeFloat = 1e-4

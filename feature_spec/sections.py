"""The smaller sections of a spec: evaluation, drift and skew, spans, the tuner and serving."""

from __future__ import annotations

import bisect
import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from feature_spec.strict_model import PositiveInt, Seed, StrictModel, Text

# A hundred years: days before the first of Python's calendar cannot be told.
Days = Annotated[PositiveInt, pydantic.Field(le=36_500)]

# The name of the slice of examples without a value of the field.
MISSING = "missing"


class Weight(StrictModel):
    """How much each example counts in the losses and the metrics of all tasks.

    Attributes:
        column: the column of the log with a number of at least 0; 0 leaves an example out of all
            sample spaces. A line without one is rejected.
    """

    column: Text


class Ndcg(StrictModel):
    """NDCG@k of the ranking score.

    Attributes:
        k: the number of places of a ranked list that count.
        by: ranks the examples of one `request`, or of one `user`, against each other.
        relevance: a weight by task. The gain of an example is the weighted sum of its labels; a
            label outside the task's sample space counts 0.
    """

    k: PositiveInt = 10
    by: Literal["request", "user"] = "user"
    relevance: Annotated[dict[str, PositiveFloat], pydantic.Field(min_length=1)]


class Slice(StrictModel):
    """Slices of the evaluation split, one for each value of a field.

    Attributes:
        field: a categorical field with few values, or a numeric one with `boundaries`.
        boundaries: values that separate the slices of a numeric field, ascending; a boundary
            belongs to the slice above it.
        protected: whether a loss against the blessed model on one of these slices refuses a
            model, as a loss on the whole split does.
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
        """The names of the slices of a numeric field, ascending; [] for a categorical field."""
        if not self.boundaries:
            return []
        texts = [_short_text(boundary) for boundary in self.boundaries]
        between = [f"{lower} to {upper}" for lower, upper in pairwise(texts)]
        return [f"below {texts[0]}", *between, f"{texts[-1]} and above"]

    def numeric_name(self, number: float | None) -> str:
        """Return the name of a number's slice; `MISSING` for None and NaN."""
        if number is None or math.isnan(number):
            return MISSING
        return self.numeric_names[bisect.bisect_right(self.boundaries or [], number)]


def _short_text(number: float) -> str:
    """Return a number in six digits, or in all if these are another number's."""
    text = f"{number:g}"
    return text if float(text) == number else repr(number)


class Evaluation(StrictModel):
    """Measurements on the evaluation split beside the metrics of each task.

    Attributes:
        ndcg: the quality of the order by ranking score; not measured by default.
        gauc_by: GAUC is the AUC among the examples of one `user`, or of one `request`.
        slices: parts of the evaluation split that are measured like the whole.
    """

    ndcg: Ndcg | None = None
    gauc_by: Literal["user", "request"] = "user"
    slices: list[Slice] = []


def sides_of_lists(by: Literal["user", "request"]) -> tuple[str, ...]:
    """Return the sides whose fields are the same for all examples of one user or request.

    Slices by these fields keep the examples together that metrics of lists compare.
    """
    return ("user",) if by == "user" else ("user", "context")


Distance = Annotated[float, pydantic.Field(gt=0.0, le=1.0)]
Measure = Literal["l_infinity", "jensen_shannon"]


class DistributionThreshold(StrictModel):
    """The largest accepted distance between two distributions of a field's values.

    Missing values do not count. A field has one measure.

    Attributes:
        l_infinity: the largest difference of any value's share. Not for numbers.
        jensen_shannon: the Jensen–Shannon divergence, in bits; for numbers, of histograms.
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
        """The measure that is given."""
        return "jensen_shannon" if self.l_infinity is None else "l_infinity"

    @property
    def limit(self) -> float:
        """The threshold of the measure."""
        limit: float = getattr(self, self.measure)
        return limit


class Skew(StrictModel):
    """Limits of skew: served requests against the examples that the model was trained on.

    Attributes:
        thresholds: the largest accepted distances, by field.
        missing: the largest accepted difference between the share of requests, or of candidates,
            without a field and the share of examples without it; of every field. None: any.
    """

    thresholds: dict[str, DistributionThreshold] = {}
    missing: Annotated[float, pydantic.Field(ge=0.0, lt=1.0)] | None = None


class Drift(StrictModel):
    """Limits of drift: new examples against the examples of the last run that pushed a model.

    Attributes:
        thresholds: the largest accepted distances, by field.
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
    """Settings of `fulcrum run --span` and `fulcrum backfill`, where a span is a day of logs.

    Attributes:
        window_days: the number of days that a model is trained on, right before the day that
            evaluates it; fewer if the logs begin later.
    """

    window_days: Days = 7


class SearchDimension(StrictModel):
    """The values that one setting may take: a list, or a range.

    Attributes:
        values: a list of any YAML values, such as ``[[32], [64, 32]]``.
        minimum: the lower end of a range. The range has whole numbers if both ends are whole.
        maximum: the upper end of a range, inclusive.
        scale: `linear`, or `log` to sample a range by factors rather than differences.
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
        """The values to validate for the whole dimension: the list, or both ends of the range."""
        return [self.minimum, self.maximum] if self.values is None else self.values


class Tuner(StrictModel):
    """A search over settings of `model` and `trainer`, made by `fulcrum run --tune`.

    Attributes:
        search: the settings that may change, by path, such as ``trainer.learning_rate``.
        objective: `smallest_mtl_gain`, the MTL gain of the task that gains least over a network
            trained on it alone, so that no task is traded for another; or `weighted_sum` of the
            tasks' metrics.
        weights: the weights of `weighted_sum` by task; a task that is not named has weight 0.
        max_trials: the largest number of settings to try, the spec's own included.
        algorithm: `bayesian` (a Gaussian process over the trials so far) or `random`.
        seed: the seed of the search.
    """

    search: dict[str, SearchDimension] = pydantic.Field(min_length=1)
    objective: Literal["smallest_mtl_gain", "weighted_sum"] = "smallest_mtl_gain"
    weights: dict[str, NonNegativeFloat] = {}
    max_trials: PositiveInt = 20
    algorithm: Literal["bayesian", "random"] = "bayesian"
    seed: Annotated[Seed, pydantic.Field(gt=0)] = 1

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
    """Conditions that a model must meet in service before it is pushed.

    Attributes:
        candidate_counts: numbers of candidates of small, usual and the largest requests. The
            export carries a warm-up request of each size, and the check before a push tries each.
        latency_budget_ms: the largest 99th percentile of latency over gRPC for requests of each
            of these sizes, on the machine that runs the pipeline.
        score_tolerance: the largest difference between a served score and the trainer's: absolute,
            and relative above 1. Only a model in half precision needs more than the rounding of
            float32.
        export_tables: whether pushed versions carry the side tables, so that clients can fill in
            the fields of users and items by their keys.
    """

    candidate_counts: Annotated[list[PositiveInt], pydantic.Field(min_length=1)] = [1, 100, 500]
    latency_budget_ms: PositiveFloat = 500.0
    score_tolerance: NonNegativeFloat = 1e-4
    export_tables: bool = False

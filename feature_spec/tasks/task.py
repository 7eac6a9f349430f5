"""Tasks, the predictions that a ranker makes about each candidate, and negative down-sampling."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

import pydantic
from pydantic import model_validator

from feature_spec.strict_model import (
    Float32,
    PositiveFloat32,
    Problem,
    StrictModel,
    validation_error,
)
from feature_spec.tasks.label_rule import LabelRule, SampleSpace, TaskKind, label_rules

Metric = Literal["auc", "log_loss", "mse"]
HIGHER_IS_BETTER: dict[Metric, bool] = {"auc": True, "log_loss": False, "mse": False}
# Every metric is at least 0.
LARGEST: dict[Metric, float] = {"auc": 1.0, "log_loss": math.inf, "mse": math.inf}
_METRICS_OF_KIND: dict[str, tuple[Metric, ...]] = {
    "binary": ("auc", "log_loss"),
    "regression": ("mse",),
}


class Task(StrictModel):
    """One prediction, with its label, sample space, loss weight and conditions for blessing.

    Attributes:
        kind: `binary` (cross-entropy, a probability) or `regression` (squared error, a number).
        label: the rule that computes the label from the columns of an exposure.
        sample_space: the exposures that the task covers. Defaults to all exposures.
        loss_weight: ω_0 of PLE Eq 9.
        loss_weight_update_ratio: γ of PLE Eq 10: ω^(t) = ω_0 · γ^t.
        metric: the metric that blessing and early stopping use: `auc`, `log_loss` or `mse`.
        threshold: the worst value of the metric that may be pushed, on the evaluation split. By
            default, a model has to be better than chance: than an AUC of 0.5, or than the log loss
            or MSE of always giving the base rate or the mean.
        tolerance: the largest loss of the metric against the latest blessed model that may be
            pushed, beyond noise. By default, none may be that its interval can tell.
    """

    kind: TaskKind
    label: LabelRule
    sample_space: SampleSpace | None = None
    loss_weight: Annotated[Float32, pydantic.Field(ge=0.0)] = 1.0
    loss_weight_update_ratio: PositiveFloat32 = 1.0
    metric: Metric
    threshold: float | None = None
    tolerance: Annotated[float, pydantic.Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        problems = [*self._kind_problems(), *self._metric_problems()]
        if problems:
            raise validation_error(type(self), problems)
        return self

    def _kind_problems(self) -> Iterable[Problem]:
        if self.kind not in self.label.task_kinds:
            *others, last = (
                repr(typing.get_args(rule.model_fields["rule"].annotation)[0])
                for rule in label_rules()
                if self.kind in rule.task_kinds
            )
            yield Problem(
                ("label",),
                self.label.rule,
                f"a {self.kind} task needs a label rule {', '.join(others)} or {last}, "
                f"received {self.label.rule!r}",
            )
        valid = _METRICS_OF_KIND[self.kind]
        if self.metric not in valid:
            yield Problem(
                ("metric",),
                self.metric,
                f"metric of a {self.kind} task must be one of {', '.join(valid)}, "
                f"received {self.metric!r}",
            )

    def _metric_problems(self) -> Iterable[Problem]:
        largest = LARGEST[self.metric]
        if self.threshold is not None and not 0.0 <= self.threshold <= largest:
            upper = f"from 0 to {largest:g}" if math.isfinite(largest) else "at least 0"
            yield Problem(("threshold",), self.threshold, f"the metric {self.metric} is {upper}")
        if self.tolerance is not None and self.tolerance > largest:
            yield Problem(
                ("tolerance",),
                self.tolerance,
                f"no {self.metric} is worse than another by more than {largest:g}",
            )

    @property
    def higher_is_better(self) -> bool:
        """The direction of the task's metric: up for AUC, down for log loss and MSE."""
        return HIGHER_IS_BETTER[self.metric]


Rate = Annotated[float, pydantic.Field(gt=0.0, le=1.0)]


class Sampling(StrictModel):
    """Negative down-sampling of the training and validation examples.

    The exported model corrects its scores for the sampling.

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
        """Return the share of negatives that each sampled task keeps.

        Args:
            kinds: the kind of every task, by name.
        """
        if self.negative_rate is None:
            return dict(self.negative_rates or {})
        return {task: self.negative_rate for task, kind in kinds.items() if kind == "binary"}

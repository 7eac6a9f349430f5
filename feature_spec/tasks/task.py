"""Tasks, the predictions that a ranker makes about each candidate, and negative down-sampling."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Protocol, Self

import pydantic
from pydantic import model_validator

from feature_spec.strict_model import (
    Float32,
    PositiveFloat32,
    Problem,
    StrictModel,
    Text,
    validation_error,
)
from feature_spec.tasks.head import Cuts, Head, Points, head_problems
from feature_spec.tasks.label_rule import LabelRule, SampleSpace, TaskKind, label_rules

Metric = Literal["auc", "gauc", "log_loss", "mse", "xauc"]
Chain = Literal["esmm", "escm2_ips", "escm2_dr"]
HIGHER_IS_BETTER: dict[Metric, bool] = {
    "auc": True, "gauc": True, "log_loss": False, "mse": False, "xauc": True,
}  # fmt: skip
# Every metric is at least 0.
LARGEST: dict[Metric, float] = {
    metric: 1.0 if higher else math.inf for metric, higher in HIGHER_IS_BETTER.items()
}
# What the trainer measures on the validation part in the place of a metric: it knows no users, and
# would have to hold all labels and scores for pairs of them.
VALIDATED_BY: dict[str, Metric] = {"gauc": "auc", "xauc": "mse"}
_METRICS_OF_KIND: dict[str, tuple[Metric, ...]] = {
    "binary": ("auc", "gauc", "log_loss"),
    "regression": ("mse", "xauc"),
}


Rate = Annotated[float, pydantic.Field(gt=0.0, le=1.0)]


class Task(StrictModel):
    """One prediction, with its label, sample space, loss weight and conditions for blessing.

    Attributes:
        kind: `binary` (cross-entropy, a probability) or `regression` (squared error, a number).
        label: the rule that computes the label from the columns of an exposure.
        sample_space: the exposures that the task covers. Defaults to all exposures.
        quantile_within: a field, within each of whose values a regression is trained on the
            quantile of its label, so that the field explains none of it; the score is the label's
            value at the predicted quantile.
        head: of a regression, what it predicts in place of one number: `ordinal`, the probabilities
            that the label is above each of `cuts`; or `quantiles` of it. The score is the mean.
        cuts: of `ordinal`, how many cuts the training examples make; or their list, of which the
            last is the largest score.
        levels: of `quantiles`, how many.
        given: the task whose label must be 1, in place of a sample space: the score is then the
            probability under this condition, and the export also gives the joint one.
        chain: how the loss covers exposures without the condition: `esmm`, `escm2_ips` or
            `escm2_dr`. By default it leaves them out.
        joint_weight: λ_g of ESCM², the weight of the joint probability's loss beside that of the
            conditional one.
        propensity_floor: ε of ESCM², the least probability of the condition that is divided by.
        loss_weight: ω_0 of PLE Eq 9.
        loss_weight_update_ratio: γ of PLE Eq 10: ω^(t) = ω_0 · γ^t.
        metric: the metric that blessing and early stopping use: `auc`, `gauc` or `log_loss` of a
            binary task, `mse` or `xauc` of a regression. Early stopping and searches take `auc` for
            `gauc`, and `mse` for `xauc`.
        threshold: the worst value of the metric that may be pushed, on the evaluation split. By
            default, a model has to be better than chance: than an AUC, GAUC or XAUC of 0.5, or than
            the log loss or MSE of always giving the base rate or the mean.
        tolerance: the largest loss of the metric against the latest blessed model that may be
            pushed, beyond noise. By default, none may be that its interval can tell.
    """

    kind: TaskKind
    label: LabelRule
    sample_space: SampleSpace | None = None
    quantile_within: Text | None = None
    head: Head | None = None
    cuts: Cuts = 20
    levels: Points = 20
    given: str | None = None
    chain: Chain | None = None
    joint_weight: Annotated[Float32, pydantic.Field(ge=0.0)] = 1.0
    propensity_floor: Rate = 0.05
    loss_weight: Annotated[Float32, pydantic.Field(ge=0.0)] = 1.0
    loss_weight_update_ratio: PositiveFloat32 = 1.0
    metric: Metric
    threshold: float | None = None
    tolerance: Annotated[float, pydantic.Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        problems = [
            *self._kind_problems(),
            *head_problems(self),
            *self._chain_problems(),
            *self._metric_problems(),
        ]
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
        if self.quantile_within is not None and self.kind != "regression":
            yield Problem(
                ("quantile_within",),
                self.quantile_within,
                f"needs a regression, whose labels have quantiles; this is a {self.kind} task",
            )
        valid = _METRICS_OF_KIND[self.kind]
        if self.metric not in valid:
            yield Problem(
                ("metric",),
                self.metric,
                f"metric of a {self.kind} task must be one of {', '.join(valid)}, "
                f"received {self.metric!r}",
            )

    def _chain_problems(self) -> Iterable[Problem]:
        if self.given is not None and self.sample_space is not None:
            yield Problem(
                ("given",),
                self.given,
                "takes the place of 'sample_space': give one of them",
            )
        if self.chain is not None and self.given is None:
            yield Problem(("chain",), self.chain, "needs 'given', the task whose label must be 1")
        if self.chain is not None and self.kind != "binary":
            yield Problem(("chain",), self.chain, f"needs a binary task; this is a {self.kind}")
        if not (self.chain or "").startswith("escm2"):
            for name in ("joint_weight", "propensity_floor"):
                if name in self.model_fields_set:
                    yield Problem(
                        (name,),
                        getattr(self, name),
                        "needs 'chain: escm2_ips' or 'chain: escm2_dr', which alone read it",
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
        """The direction of the task's metric: up for AUC, GAUC and XAUC, down for errors."""
        return HIGHER_IS_BETTER[self.metric]

    @property
    def validation_metric(self) -> Metric:
        """The metric that the trainer measures on the validation part."""
        return VALIDATED_BY.get(self.metric, self.metric)


class SampledTask(Protocol):
    """What sampling needs to know of a task."""

    @property
    def kind(self) -> TaskKind:
        """The kind of the task."""

    @property
    def given(self) -> object:
        """What the task is given; false if nothing."""


class Sampling(StrictModel):
    """Negative down-sampling of the training and validation examples.

    The exported model corrects its scores for the sampling.

    A negative of a task, an example with label 0, stays in the task's sample space with the task's
    rate. An example that no task keeps is not written. A task with `given` keeps all its examples,
    which are positives of the task before it and therefore written anyway.

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

    def rates(self, tasks: Mapping[str, SampledTask]) -> dict[str, float]:
        """Return the share of negatives that each sampled task keeps.

        Args:
            tasks: every task, by name.
        """
        if self.negative_rate is None:
            return dict(self.negative_rates or {})
        return {
            name: self.negative_rate
            for name, task in tasks.items()
            if task.kind == "binary" and not task.given
        }

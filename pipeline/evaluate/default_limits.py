"""Floors of tasks without a threshold, and limits that a first evaluation proposes.

Chance is an AUC, GAUC or XAUC of 0.5, and the log loss or MSE of always giving the base rate or the
mean. A model that is no better is refused. One that is better by less than noise passes: it has too
few examples to tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from feature_spec.names import is_joint
from feature_spec.tasks.task import Metric, Task
from pipeline.evaluate.evaluation_result import Measurement, TaskVerdict
from pipeline.evaluate.metrics.metric_registry import meaning_of

# Of AUC, GAUC and XAUC: any order is as likely right as wrong.
_CHANCE_ORDER = 0.5
# The metric over that of always giving the base rate or the mean, which is 1 for chance.
_RELATIVE: dict[Metric, str] = {"log_loss": "normalized_entropy", "mse": "normalized_mse"}
_CONSTANT = {"log_loss": "the base rate", "mse": "the mean"}
_DIGITS = 3


class DefaultFloor(NamedTuple):
    """The floor of a task without a threshold.

    Attributes:
        threshold: the metric of chance; None where it cannot be computed.
        refusal: the reason to refuse the model; "" if it is better than chance.
        too_few: what the verdict says of a model that is better by less than noise, or "".
    """

    threshold: float | None
    refusal: str = ""
    too_few: str = ""


def default_floor(task: Task, whole: Measurement) -> DefaultFloor:
    """Return the floor of a task without a threshold on the whole split.

    An AUC, GAUC or XAUC has to be above 0.5, log loss and MSE below those of always giving the base
    rate or the mean.
    """
    estimate = whole.metrics.get(task.metric)
    compared = whole.metrics.get(_RELATIVE.get(task.metric, task.metric))
    if estimate is None or estimate.value is None or compared is None or compared.value is None:
        return DefaultFloor(_CHANCE_ORDER if task.higher_is_better else None)
    if task.higher_is_better:
        floor, chance = _CHANCE_ORDER, f"chance, {_CHANCE_ORDER:g}"
        is_better, worst = estimate.value > floor, estimate.lower
        may_be_chance = worst is not None and worst <= floor
    else:
        # The metric of a constant is M / r, where r is M over it.
        floor = estimate.value / compared.value if compared.value > 0.0 else estimate.value
        chance = f"always giving {_CONSTANT[task.metric]}, {floor:.4f}"
        is_better, worst = compared.value < 1.0, compared.upper
        may_be_chance = worst is not None and worst >= 1.0
    if not is_better:
        return DefaultFloor(
            floor,
            f"{task.metric} {estimate.value:.4f} is not better than {chance}; a 'threshold' in the "
            "spec would decide instead",
        )
    return DefaultFloor(floor, too_few="too few to tell from chance" if may_be_chance else "")


def proposed_limits(verdict: TaskVerdict) -> dict[str, float]:
    """Return the threshold and tolerance to write down after an evaluation, where none is given.

    The threshold is the worse end of the metric's interval, the tolerance half of its width, so
    that a model like this one passes. Without an interval, with too few examples or for a model
    that the task refuses, there is none; nor for a joint probability, which has no limits of its
    own.
    """
    whole = next((part for part in verdict.slices if not part.field), None)
    estimate = whole.metrics.get(verdict.metric) if whole is not None else None
    if (
        not (verdict.default_threshold or verdict.default_tolerance)
        or is_joint(verdict.task)
        or verdict.too_few
        or verdict.refusals
        or estimate is None
        or estimate.lower is None
        or estimate.upper is None
    ):
        return {}
    limits = {}
    if verdict.default_threshold:
        limits["threshold"] = (
            _rounded(estimate.lower, math.floor)
            if meaning_of(verdict.metric).higher_is_better
            else _rounded(estimate.upper, math.ceil)
        )
    if verdict.default_tolerance:
        limits["tolerance"] = _rounded((estimate.upper - estimate.lower) / 2.0, math.ceil)
    return limits


def _rounded(value: float, how: Callable[[float], int]) -> float:
    """Return a number in three digits, rounded down or up."""
    if value <= 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    whole = how(value / unit)
    return float(f"{whole * unit:.{_DIGITS}g}")

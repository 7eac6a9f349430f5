"""Floors of tasks without a threshold, and limits that a first evaluation proposes.

Chance is an AUC of 0.5, and the log loss or MSE of always giving the base rate or the mean. A model
passes if its metric is better than chance beyond noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from feature_spec.tasks.task import Metric, Task
from pipeline.evaluate.evaluation_result import Measurement, TaskVerdict

_CHANCE_AUC = 0.5
# The metric over that of always giving the base rate or the mean, which is 1 for chance.
_RELATIVE: dict[Metric, str] = {"log_loss": "normalized_entropy", "mse": "normalized_mse"}
_CONSTANT = {"log_loss": "the base rate", "mse": "the mean"}
_DIGITS = 3


class DefaultFloor(NamedTuple):
    """The floor of a task without a threshold.

    Attributes:
        threshold: the worst value of the metric that is better than chance beyond noise; None where
            it cannot be computed.
        refusal: the reason to refuse the model; "" if it is better.
    """

    threshold: float | None
    refusal: str


def default_floor(task: Task, whole: Measurement) -> DefaultFloor:
    """Return the floor of a task without a threshold on the whole split.

    An AUC has to be above 0.5 by what its interval reaches below it. Log loss and MSE have to be
    below those of always giving the base rate or the mean, likewise.
    """
    estimate = whole.metrics.get(task.metric)
    name = _RELATIVE.get(task.metric, task.metric)
    compared = whole.metrics.get(name)
    if estimate is None or estimate.value is None or compared is None or compared.value is None:
        return DefaultFloor(_CHANCE_AUC if task.metric == "auc" else None, "")
    if task.metric == "auc":
        lower = estimate.value if estimate.lower is None else estimate.lower
        floor = _CHANCE_AUC + (estimate.value - lower)
        is_better, chance = lower > _CHANCE_AUC, f"chance, {_CHANCE_AUC:g}"
    else:
        # The metric of a constant is M / r, where r is M over it. r must be below 1 up to the upper
        # end of its interval, which M / r_upper says of M.
        upper = compared.value if compared.upper is None else compared.upper
        floor = estimate.value / upper if upper > 0.0 else estimate.value
        constant = estimate.value / compared.value if compared.value > 0.0 else estimate.value
        is_better = upper < 1.0
        chance = f"always giving {_CONSTANT[task.metric]}, {constant:.4f}"
    if is_better:
        return DefaultFloor(floor, "")
    reach = f" (95 % interval {estimate.lower:.4f} to {estimate.upper:.4f})"
    return DefaultFloor(
        floor,
        f"{task.metric} {estimate.value:.4f}{reach if estimate.has_interval else ''} is not better "
        f"than {chance}, beyond noise; a 'threshold' in the spec would decide instead",
    )


def proposed_limits(verdict: TaskVerdict) -> dict[str, float]:
    """Return the threshold and tolerance to write down after an evaluation, where none is given.

    The threshold is the worse end of the metric's interval, the tolerance half of its width, so
    that a model like this one passes. Without an interval, with too few examples or for a model
    that the task refuses, there is none.
    """
    whole = next((part for part in verdict.slices if not part.field), None)
    estimate = whole.metrics.get(verdict.metric) if whole is not None else None
    if (
        not (verdict.default_threshold or verdict.default_tolerance)
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
            if verdict.metric == "auc"
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

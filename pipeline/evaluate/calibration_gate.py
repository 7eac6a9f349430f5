"""The gate on calibration: predicted over observed has to lie within the limits of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from feature_spec.tasks.evidence import too_few
from pipeline.evaluate.evaluation_result import Measurement

_METRIC = "calibration"


class CalibrationVerdict(NamedTuple):
    """What the gate says of a task on the whole split or on a slice.

    Attributes:
        refusal: the reason to refuse the model, or "".
        too_few: why nobody can tell whether it lies within the limits, or "".
    """

    refusal: str = ""
    too_few: str = ""


def calibration_verdict(part: Measurement, limits: Sequence[float]) -> CalibrationVerdict:
    """Judge the predicted over observed of a binary task.

    It is beyond a limit only if its whole interval is. Without an interval the value decides, on
    the whole split alone.

    Args:
        part: the measurement on the whole split or on a slice.
        limits: the least and the largest predicted over observed.
    """
    where = f" on {part.name}" if part.name else ""
    few = too_few(part.example_count, part.positive_count)
    if few:
        return CalibrationVerdict(too_few=few)
    estimate = part.metrics.get(_METRIC)
    if estimate is None or estimate.value is None:
        return CalibrationVerdict(
            f"predicted over observed{where} cannot be computed: there is no positive, or its "
            "scores are not numbers"
        )
    lower, upper = limits
    if lower <= estimate.value <= upper:
        return CalibrationVerdict()
    interval = "no interval"
    ends = (estimate.value, estimate.value)
    if estimate.lower is not None and estimate.upper is not None:
        ends = (estimate.lower, estimate.upper)
        interval = f"95 % interval {ends[0]:.3f} to {ends[1]:.3f}"
    received = f"predicted over observed{where} {estimate.value:.3f} ({interval})"
    if (ends[0] <= upper and ends[1] >= lower) or (part.field and not estimate.has_interval):
        return CalibrationVerdict(too_few=f"too few to tell whether calibrated: {received}")
    side = "above" if estimate.value > upper else "below"
    return CalibrationVerdict(
        f"{received} is {side} {upper if side == 'above' else lower:g}, the limit of "
        "calibration.within"
    )

"""The jackknife interval of a metric, and of its change between two models.

Both are Student's t distributions, as TFMA writes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pipeline.evaluate.metrics.jackknife import standard_error
from pipeline.evaluate.metrics.metric_range import MetricRange

_ROUNDING = 1e-12
_UPPER_QUANTILE = 1.0 - 0.05 / 2.0  # of an interval at 95 %, written as TFMA computes it


@dataclass(frozen=True)
class UnsureValue:
    """A value with its standard error.

    Attributes:
        value: the value on all examples.
        error: the standard error; None where nobody can tell how sure the value is.
        degrees_of_freedom: those of the t distribution.
    """

    value: float
    error: float | None
    degrees_of_freedom: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The symmetric interval at 95 %; None without an error."""
        if self.error is None:
            return None
        reach = self.error * float(special.stdtrit(self.degrees_of_freedom, _UPPER_QUANTILE))
        return self.value - reach, self.value + reach


def unsure_value(values: np.ndarray, of_metric: MetricRange | None = None) -> UnsureValue:
    """Return a metric, or the difference of two models' metrics, with its standard error.

    Args:
        values: the value of all parts, then without each part; (1 + P,).
        of_metric: the range of the metric. The error is then one on the scale without ends, times
            the slope, which `MetricRange.interval` divides by. None for a difference.
    """
    value, error = float(values[0]), standard_error(values)
    if of_metric is not None:
        scaled = standard_error(of_metric.scaled(values)) * of_metric.slope(value)
        error = scaled if math.isfinite(scaled) else error
    equal = of_metric is None and not values.any()  # models that differ nowhere
    # A value that is the same without each part has an error that nobody has seen, not none.
    unseen = error <= _ROUNDING * max(1.0, abs(value)) and not equal
    known = math.isfinite(error) and not unseen
    return UnsureValue(value, error if known else None, len(values) - 2)

"""Intervals that stay inside the range of their metric, by the scale on which it has no ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MetricRange:
    """The range of a metric, and the scale on which its intervals are symmetric.

    That is the logit of a share, from 0 to 1, and the logarithm of a size, from 0 to infinity.

    Attributes:
        highest: the upper end, 1 or infinity; the lower one is 0.
    """

    highest: float

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values on the scale without ends; NaN at an end and beyond."""
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled: np.ndarray = np.log(values)
            if self.highest == 1.0:
                scaled = scaled - np.log1p(-values)
        return np.where(np.isfinite(scaled), scaled, np.nan)

    def slope(self, value: float) -> float:
        """Return d value / d scaled value."""
        return value * (1.0 - value) if self.highest == 1.0 else value

    def interval(self, value: float, half_width: float) -> tuple[float, float] | None:
        """Return the interval about a value whose symmetric one reaches so far to both sides.

        Returns:
            Lower and upper end inside the range; None where the value is an end of it or there is
            no width: an interval of no width would say that nothing else is possible.
        """
        slope = self.slope(value)
        if not (math.isfinite(half_width) and half_width > 0.0 and slope > 0.0):
            return None
        scaled = float(self.scaled(np.array(value)))
        reach = half_width / slope
        if self.highest == 1.0:
            ends = [0.5 * (1.0 + math.tanh(0.5 * end)) for end in (scaled - reach, scaled + reach)]
        else:
            ends = [math.exp(min(end, 700.0)) for end in (scaled - reach, scaled + reach)]
        return ends[0], ends[1]

    def change_interval(self, lower: float, upper: float) -> tuple[float, float] | None:
        """Return the interval of a difference of two values, cut at the largest there can be.

        Returns:
            None where the interval has no width, but for values that do not differ anywhere.
        """
        if lower < upper or lower == upper == 0.0:
            return max(lower, -self.highest), min(upper, self.highest)
        return None


SHARE, SIZE = MetricRange(1.0), MetricRange(math.inf)

"""The time that a call may take in all, whatever it is made of."""

from __future__ import annotations

import math
import time


class Deadline:
    """Runs from its making.

    Attributes:
        timeout_ms: milliseconds that it was made with.
    """

    def __init__(self, timeout_ms: float) -> None:
        self.timeout_ms = positive_ms("timeout_ms", timeout_ms)
        self._end_s = time.monotonic() + timeout_ms / 1000.0

    @property
    def remaining_s(self) -> float:
        """Seconds left, at least 0."""
        return max(self._end_s - time.monotonic(), 0.0)


def positive_ms(name: str, value: float) -> float:
    """The value, if it is a length of time.

    Raises:
        ValueError: it is not.
    """
    if not (value > 0.0 and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite number above 0; received {value!r}")
    return value

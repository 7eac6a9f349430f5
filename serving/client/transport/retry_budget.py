"""Bounds how much a client adds to its own load by retries or hedges."""

from __future__ import annotations

import threading

_RESERVE = 10.0


class RetryBudget:
    """A share of the calls made, and a reserve of ten that fills up again by that share. May be used by many threads.

    Args:
        share: extra calls a call, 0 to 1.

    Attributes:
        calls: counted so far.
        taken: extra calls so far.
    """

    def __init__(self, share: float) -> None:
        self._share = checked_share(share)
        self._left = _RESERVE if share else 0.0
        self.calls = 0
        self.taken = 0
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Counts a call."""
        with self._lock:
            self.calls += 1
            self._left = min(self._left + self._share, _RESERVE)

    def take(self) -> bool:
        """Spends an extra call, if there is one left."""
        with self._lock:
            if self._left < 1.0:
                return False
            self._left -= 1.0
            self.taken += 1
            return True


def checked_share(share: float) -> float:
    """The share, if it is one.

    Raises:
        ValueError: it is not.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"maximum_share must be from 0 to 1; received {share!r}")
    return share

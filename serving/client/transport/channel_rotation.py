"""Which of a client's channels comes next."""

from __future__ import annotations

import itertools


class ChannelRotation:
    """Round robin. May be used by many threads: `next` of a count is one step of the interpreter.

    Args:
        count: number of channels.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._turns = itertools.count()

    def next(self, *, avoid: int | None = None) -> int:
        """The next channel's number; another than `avoid` where there is another."""
        channel = next(self._turns) % self._count
        return (channel + 1) % self._count if channel == avoid else channel

"""Measurement of the memory that a piece of work takes."""

from __future__ import annotations

import contextlib
import itertools
import threading
from types import TracebackType
from typing import Self

import psutil

_PERIOD_S = 0.1
# Looking for children reads the table of all processes of the machine.
_SAMPLES_BETWEEN_LOOKS = 10


class MemorySampler:
    """Samples the resident memory of this process and its children during a `with` block.

    Attributes:
        peak_bytes: the largest sample.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process()
        self._children: list[psutil.Process] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample_on, daemon=True)

    def __enter__(self) -> Self:
        self._sample(look=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._sample(look=True)

    def _sample_on(self) -> None:
        for number in itertools.count():
            if self._over.wait(_PERIOD_S):
                return
            self._sample(look=number % _SAMPLES_BETWEEN_LOOKS == 0)

    def _sample(self, *, look: bool) -> None:
        if look:
            self._children = self._process.children(recursive=True)
        total = 0
        for one in (self._process, *self._children):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, total)

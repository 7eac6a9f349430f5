"""The workload of the speed benchmark: all systems train one PLE on random data in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.worker import peak_memory_bytes, report

FIELDS, WIDTH, NUMBERS, TASKS = 20, 16, 6, 2
LEVELS, TASK_EXPERTS, SHARED_EXPERTS, EXPERT_UNITS, TOWER_UNITS = 2, 2, 2, 128, 64
VALUES = 10_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of one repetition of one system.

    Attributes:
        rows_per_s: rows trained on in a second.
        peak_memory_bytes: the largest resident memory of the whole process.
        input_wait_rate: share of the time in which a step waited for its batch; None if it was
            not measured.
    """

    rows_per_s: float
    peak_memory_bytes: int
    input_wait_rate: float | None = None

    def report(self) -> None:
        """Print the figures as the line that the benchmark reads."""
        report({name: value for name, value in self.__dict__.items() if value is not None})


def rows(count: int, values: int = VALUES) -> dict[str, Any]:
    """Draw the data, which are the same for every system.

    Returns:
        `ids` (count, FIELDS), `numbers` (count, NUMBERS) and `labels` (count, TASKS).
    """
    import numpy as np

    random = np.random.default_rng(0)
    return {
        "ids": random.integers(0, values, (count, FIELDS)),
        "numbers": random.random((count, NUMBERS), dtype=np.float32),
        "labels": random.integers(0, 2, (count, TASKS)).astype(np.float32),
    }


def measured(train: Callable[[], int]) -> Measured:
    """Run `train` once to warm up and once to be timed; it returns its number of rows."""
    train()
    began = time.perf_counter()
    count = train()
    elapsed_s = time.perf_counter() - began
    return Measured(rows_per_s=count / elapsed_s, peak_memory_bytes=peak_memory_bytes())

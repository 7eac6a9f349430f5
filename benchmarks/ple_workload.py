"""The workload that all systems of the speed benchmark train: one PLE on random data in memory."""

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
    """One repetition of one system.

    Attributes:
        rows_per_s: trained on.
        peak_memory_bytes: resident, of the whole process.
        input_wait_rate: share of the time in which a step waited for its batch, where that is
            measured.
    """

    rows_per_s: float
    peak_memory_bytes: int
    input_wait_rate: float | None = None

    def report(self) -> None:
        """Prints the measurement as the line that the benchmark reads."""
        report({name: value for name, value in self.__dict__.items() if value is not None})


def rows(count: int, values: int = VALUES) -> dict[str, Any]:
    """Ids (count, FIELDS), numbers (count, NUMBERS) and labels (count, TASKS), the same for every system."""
    import numpy as np

    random = np.random.default_rng(0)
    return {
        "ids": random.integers(0, values, (count, FIELDS)),
        "numbers": random.random((count, NUMBERS), dtype=np.float32),
        "labels": random.integers(0, 2, (count, TASKS)).astype(np.float32),
    }


def measured(train: Callable[[], int]) -> Measured:
    """Runs `train`, which gives the number of rows it trained on, once to warm up and once to be timed."""
    train()
    began = time.perf_counter()
    count = train()
    elapsed_s = time.perf_counter() - began
    return Measured(rows_per_s=count / elapsed_s, peak_memory_bytes=peak_memory_bytes())

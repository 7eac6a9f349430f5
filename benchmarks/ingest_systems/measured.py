"""What a system that is one piece of work took."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.worker import peak_memory_bytes, report


def report_work(work: Callable[[], int]) -> None:
    """Runs the work, which gives its number of rows, and reports its time and the process's peak memory, imports included."""
    began = time.perf_counter()
    rows = work()
    elapsed_s = time.perf_counter() - began
    report(
        {"work": {"rows": rows, "elapsed_s": elapsed_s, "peak_memory_bytes": peak_memory_bytes()}}
    )

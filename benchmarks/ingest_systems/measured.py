"""The report of a system that does its work in one piece."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.worker import peak_memory_bytes, report


def report_work(work: Callable[[], int]) -> None:
    """Run the work and report its rows, its time, and the peak memory of the process.

    Args:
        work: does the work and returns its number of rows. The peak memory includes imports.
    """
    began = time.perf_counter()
    rows = work()
    elapsed_s = time.perf_counter() - began
    report(
        {"work": {"rows": rows, "elapsed_s": elapsed_s, "peak_memory_bytes": peak_memory_bytes()}}
    )

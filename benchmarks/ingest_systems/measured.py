"""What a system took, as the line that `benchmarks.ingest` reads."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable


def report(work: Callable[[], int]) -> None:
    """Runs the work, which gives its number of rows, and prints its time and the process's peak memory, imports included."""
    began = time.perf_counter()
    rows = work()
    elapsed_s = time.perf_counter() - began
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"work": {"rows": rows, "elapsed_s": elapsed_s, "peak_memory_bytes": peak_bytes}}
    sys.stdout.write(f"MEASURED {json.dumps(figures)}\n")

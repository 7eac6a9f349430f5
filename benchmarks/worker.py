"""The protocol of a measured system: arguments into a process, a line `MEASURED {…}` out of it."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / ".benchmarks"
_MEASURED = "MEASURED "


def measure(command: list[str], **environment: str) -> dict[str, Any]:
    """Run a system once, however long it takes, and return the figures that it measured.

    Args:
        command: the command line of the system.
        environment: variables to add to the environment of this process.

    Raises:
        RuntimeError: the system failed; the message ends with the last lines of its stderr.
    """
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith(_MEASURED):
            return json.loads(line.removeprefix(_MEASURED))
    raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def report(figures: dict[str, Any]) -> None:
    """Print the figures of this process, the measured system, as the line that `measure` reads."""
    sys.stdout.write(f"{_MEASURED}{json.dumps(figures)}\n")


def report_work(work: Callable[[], int]) -> None:
    """Run the work and report its rows, its time, and the peak memory of the process.

    Args:
        work: does the work and returns its number of rows. The peak memory includes imports.
    """
    began, cpu_began = time.perf_counter(), time.process_time()
    rows = work()
    figures = {
        "rows": rows,
        "elapsed_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_began,
        "peak_memory_bytes": peak_memory_bytes(),
    }
    report({"work": figures})


def peak_memory_bytes() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """Return a description of the machine on which the figures are measured."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"

"""A system under measurement, in a process of its own: arguments in, a line `MEASURED {…}` out."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / ".benchmarks"
_MEASURED = "MEASURED "


def measure(command: list[str], **environment: str) -> dict[str, Any]:
    """Runs the system once and returns what it measured.

    Args:
        command: of the system.
        environment: variables that it is given beside this process's.

    Raises:
        RuntimeError: it failed; with what it said.
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
    """Prints, in the system's process, what it measured."""
    sys.stdout.write(f"{_MEASURED}{json.dumps(figures)}\n")


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """What the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"

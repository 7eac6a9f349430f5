"""Runs `fulcrum serve` in a process of its own, as the demo and the benchmarks need it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_POLL_S = 0.2
_LISTENING = re.compile(r"Listening on (\S+)(.*)\n")


class ServerProcessError(RuntimeError):
    """The process ended before it listened, or listens without a version of a model."""


@contextlib.contextmanager
def serving_process(
    options: Sequence[str], log: Path, waiting: Callable[[float], None] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `fulcrum serve` on a free port while the block runs; yield its address and the process.

    It waits for as long as the process lives, because machines differ in speed: loading TensorFlow
    and a model takes 5 s on one and minutes on a busy one.

    Args:
        options: Options of `fulcrum serve`, without `--port`.
        log: The file that takes the output of the process.
        waiting: A function that is called with the seconds passed, several times a second, until
            the server listens.

    Raises:
        ServerProcessError: The process ended before it listened, or it listens without a version;
            the message names the log and quotes its end.
    """
    command = [sys.executable, "-m", "fulcrum", "serve", *options, "--port", "0"]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
    try:
        began_s = time.monotonic()
        while True:
            # asked before the log is read, which then is complete
            ended = process.poll() is not None
            text = log.read_text(encoding="utf-8")
            if (listening := _LISTENING.search(text)) and ", version" in listening[2]:
                break
            if listening or ended:
                why = (
                    "listens, but no version of a model is loaded"
                    if listening
                    else f"ended with exit code {process.returncode} before it listened"
                )
                quoted = "\n".join(text.splitlines()[-20:])
                raise ServerProcessError(f"the model server {why}; the end of {log}:\n{quoted}")
            if waiting is not None:
                waiting(time.monotonic() - began_s)
            time.sleep(_POLL_S)
        yield listening[1], process
    finally:
        process.terminate()
        process.wait()

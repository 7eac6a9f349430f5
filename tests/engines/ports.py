"""Waiting for processes and their ports, for as long as the processes live."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def accepts(port: int) -> bool:
    """Whether something listens at a port."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def wait_for(
    question: Callable[[], Answer], processes: Mapping[str, subprocess.Popen[bytes]], folder: Path
) -> Answer:
    """Ask until the answer is not empty; fails with the log NAME.log of a process that has ended."""
    while not (answer := question()):
        for name, process in processes.items():
            if process.poll() is not None:
                log = (folder / f"{name}.log").read_text(errors="replace")
                raise AssertionError(f"{name} has ended\n{log[-3000:]}")
        time.sleep(0.2)
    return answer

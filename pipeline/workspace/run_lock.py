"""One run at a time on a pipeline root."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RootInUseError(RuntimeError):
    """Another run holds the lock."""


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Holds a lock that the kernel frees when the process ends, however it ends.

    Raises:
        RootInUseError: another process holds it; the message has its process id.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise RootInUseError(
                f"another run (process {holder}) is using {file.parent}: wait until it has ended, or give another --root"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield

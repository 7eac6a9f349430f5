"""Redirection of everything that libraries print to a log file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def capture_output(log_file: Path) -> Iterator[IO[str]]:
    """Send standard output, standard error and all log records to a file.

    Native code writes to the file descriptors whatever `sys.stderr` is, so these are redirected,
    too.

    Yields:
        A stream to the terminal, for the user.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with (
        log_file.open("a", buffering=1, encoding="utf-8") as log,
        os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal,
    ):
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield terminal
        finally:
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            root.handlers[:] = handlers
            root.setLevel(level)

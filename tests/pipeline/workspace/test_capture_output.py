"""Library noise goes to the log file, whoever makes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import logging, os, sys
from pathlib import Path
from pipeline.workspace.capture_output import capture_output
print("before", flush=True)
try:
    with capture_output(Path(sys.argv[1])) as terminal:
        print("from print")
        os.write(1, b"native out\\n")
        os.write(2, b"native error\\n")
        logging.getLogger("library").info("from logging")
        print("for the user", file=terminal)
        if len(sys.argv) > 2:
            raise ValueError("went wrong")
except ValueError:
    pass
print("after", flush=True)
logging.getLogger("library").error("after")
"""


@pytest.mark.parametrize("how_it_ends", [[], ["by an error"]])
def test_only_what_is_meant_for_the_user_reaches_the_terminal(
    tmp_path: Path, how_it_ends: list[str]
) -> None:
    log = tmp_path / "logs" / "run.log"
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(log), *how_it_ends],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == ["before", "for the user", "after"]
    assert ended.stderr.splitlines() == ["after"]
    kept = log.read_text(encoding="utf-8")
    assert all(
        noise in kept
        for noise in ("from print", "native out", "native error", "INFO library: from logging")
    )
    assert "for the user" not in kept

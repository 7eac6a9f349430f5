"""One run at a time on a root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.workspace.run_lock import RootInUseError, locked

_HOLD = """
import sys, time
from pathlib import Path
from pipeline.workspace.run_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "run.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_and_told_which_process_holds_the_root(
    other_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    with (
        pytest.raises(RootInUseError, match=f"process {other_run.pid}.*{tmp_path}"),
        locked(tmp_path / "run.lock"),
    ):
        pass


def test_a_killed_run_leaves_the_root_free(
    other_run: subprocess.Popen[str], tmp_path: Path
) -> None:
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    with locked(tmp_path / "run.lock"):
        assert (tmp_path / "run.lock").read_text() == str(os.getpid())


def test_the_root_is_free_after_a_run(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "root" / "run.lock"):
            pass

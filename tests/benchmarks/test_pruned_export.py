"""The benchmark of pruned exports runs and reports its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def test_the_benchmark_compares_whole_and_pruned_networks(tmp_path):
    command = [sys.executable, "-m", "benchmarks.pruned_export", "--repetitions", "1"]
    command += ["--candidates", "3", "--json", str(tmp_path / "pruned.json")]
    done = subprocess.run(
        command,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "pruned.json").read_text())["figures"]
    names = [figure["network"] for figure in figures]
    assert names == ["all open", "60 % closed", "90 % closed", "90 % closed, 1/3 fires"]
    left = [figure["multiplications"]["remaining"]["candidate"] for figure in figures]
    assert left == sorted(left, reverse=True)
    assert figures[0]["closed_share"] == 0.0
    assert all(figure["largest_difference"] < 1e-4 for figure in figures)

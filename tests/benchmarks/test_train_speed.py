"""The speed benchmark runs, and says what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_each_system_and_writes_its_figures(tmp_path):
    command = [sys.executable, "-m", "benchmarks.train_speed", "--repetitions", "1", "--batch-size", "32", "--rows", "320"]
    command += ["--no-peers", "--no-models", "--json", str(tmp_path / "speed.json")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "speed.json").read_text())
    for figures in (report["rows_per_s"]["32"], report["peak_memory_bytes"]["32"]):
        assert set(figures) == {"fulcrum", "fulcrum, 50 × the values", "matrix products alone"}
        assert all(value > 0 for value in figures.values())
    assert "Fulcrum's PLE is … times as fast" in done.stdout

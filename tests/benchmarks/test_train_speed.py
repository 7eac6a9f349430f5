"""The benchmark of training speed runs and reports its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_each_system_and_writes_its_figures(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.train_speed",
        "--repetitions",
        "1",
        "--batch-size",
        "32",
        "--rows",
        "320",
    ]
    command += ["--no-peers", "--no-models", "--json", str(tmp_path / "speed.json")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "speed.json").read_text())
    (size,) = report["sizes"]
    assert (size["batch_size"], size["expert_units"]) == (32, 128)
    systems = size["systems"]
    assert set(systems) == {
        "fulcrum",
        "fulcrum, 50 × the values",
        "fulcrum, from files",
        "fulcrum, dense part alone",
        "matrix products alone",
    }
    assert all(
        figures["rows_per_s"] > 0 and figures["peak_memory_bytes"] > 0
        for figures in systems.values()
    )
    assert 0 <= systems["fulcrum, from files"]["input_wait_rate"] < 1
    assert "dense part alone" in done.stdout

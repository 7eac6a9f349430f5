"""The benchmark of large tables runs and reports its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def test_the_benchmark_measures_each_phase_of_both_days(tmp_path):
    command = [sys.executable, "-m", "benchmarks.large_tables", "--repetitions", "0"]
    command += ["--values", "400000", "--examples", "2048", "--json", str(tmp_path / "tables.json")]
    done = subprocess.run(
        command,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "tables.json").read_text())
    phases = {(one["day"], one["phase"]): one for one in figures["phases"]}
    every_day = {"in between", "training", "checkpoint", "export", "weights for a warm start"}
    assert {phase for day, phase in phases if day == 1} == every_day
    assert {phase for day, phase in phases if day == 2} == every_day | {"warm start"}
    for one in phases.values():
        # 380,000 more rows of 16 floats, and what the optimizers keep for them.
        assert one["table_and_slots_bytes"] > 380_000 * 64
        assert one["peak_bytes"] > one["table_and_slots_bytes"]
    # Without a turn there is no speed; `test_train_speed` runs what measures it.
    assert figures["step_ms"] == {}

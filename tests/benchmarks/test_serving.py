"""The serving benchmark runs and reports its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_each_way_and_writes_its_figures(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving",
        "--candidates",
        "500",
        "--rounds",
        "1",
        "--calls",
        "2",
    ]
    command += [
        "--seconds",
        "0.5",
        "--soak",
        "40",
        "--no-peer",
        "--json",
        str(tmp_path / "speed.json"),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "speed.json").read_text())
    latencies = report["latency_ms"]["500"]
    assert set(latencies) == {
        "rank, in process", "rank, over gRPC", "serving_default with examples, over gRPC", "user repeated, in process",
        "rank's matrix products alone, in process",
    }  # fmt: skip
    assert all(0.0 < latency["p50"] <= latency["p99"] for latency in latencies.values())
    p50 = {name: latency["p50"] for name, latency in latencies.items()}
    assert (
        report["ratios"]["user repeated / rank (at least 2)"]
        == p50["user repeated, in process"] / p50["rank, in process"]
    )
    assert report["cpu_ratios"]["rank, in process / products, CPU"] > 1.0
    assert report["load"]["requests_per_s of 8 clients"] > 0.0
    assert report["load"]["p50_ms at half load"] <= report["load"]["p99_ms at half load"]
    assert report["soak"]["bytes after all"] > 100_000_000  # TensorFlow alone takes more.
    assert "times rank's p50" in done.stdout

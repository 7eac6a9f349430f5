"""Ingestion where every function is pickled and shipped, as on Flink: Beam's portable runner with the job service that it brings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from feature_spec.names import SPLITS
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from tests.pipeline.ingest.ingested_logs import ingested

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).parents[3]
PORTABLE = ["runner=PortableRunner", "job_endpoint=embed"]
LOOPBACK = [*PORTABLE, "environment_type=LOOPBACK"]
# A process of its own, which knows of the pipeline what was shipped to it alone. The job service
# that Beam brings knows this kind of worker, and not Flink's PROCESS.
PROCESS = [
    *PORTABLE,
    "environment_type=beam:env:harness_subprocess_python:v1",
    f"environment_config=PYTHONPATH={REPOSITORY} {sys.executable} -m apache_beam.runners.worker.sdk_worker_main",
]


@pytest.mark.parametrize(
    ("spec", "options"),
    [("short_video", LOOPBACK), ("short_video_events", PROCESS)],
    ids=["exposures-loopback", "events-process"],
)
def test_a_portable_runner_gives_the_same_examples_and_counts(
    tmp_path: Path, spec: str, options: list[str]
) -> None:
    simulation: dict[str, Any] = {"event_logs": spec == "short_video_events"}
    written = simulate_logs(
        SimulationSettings(days=2, rows_per_day=200, seed=5, malformed_share=0.1, **simulation),
        tmp_path / "logs",
    )
    expected, summary, _ = ingested(spec, tmp_path / "logs", tmp_path / "direct", [])
    received, portable_summary, counters = ingested(
        spec, tmp_path / "logs", tmp_path / "portable", options
    )
    assert received.total() == written.usable_rows > 300
    assert received == expected
    assert portable_summary == summary
    assert summary.rejected
    assert counters["step/parse/received"] == summary.lines
    assert {split: counters[f"examples/{split}"] for split in SPLITS} == summary.examples

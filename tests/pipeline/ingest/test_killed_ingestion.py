"""A killed ingestion ends, by the same command, in the examples of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

REPOSITORY = Path(__file__).parents[3]
KILLS = 3


def _examples(folder: Path) -> Counter[bytes]:
    import tensorflow as tf

    files = sorted(map(str, folder.glob("Split-*/*.gz")))
    return Counter(
        record.numpy() for record in tf.data.TFRecordDataset(files, compression_type="GZIP")
    )


def _ingested(root: Path) -> Path:
    """The folder of the examples."""
    [folder] = [
        path
        for path in (root / "artifacts").glob("LogsExampleGen/examples/*")
        if path.name.isdecimal()
    ]
    return folder


def test_an_ingestion_killed_at_random_moments_ends_in_the_same_examples(tmp_path: Path) -> None:
    simulation = SimulationSettings(
        days=2, rows_per_day=5_000, malformed_share=0.03, event_logs=True
    )
    written = simulate_logs(simulation, tmp_path / "logs")
    program = Path(__file__).with_name("killed_program.py")
    arguments = ["short_video_events", str(tmp_path / "logs"), str(tmp_path), str(KILLS)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.endswith("ended True\n"), done.stderr[-2000:]
    # An attempt that is quicker than its kill ends the series.
    assert int(done.stdout.split()[1]) >= 1
    undisturbed, disturbed = _ingested(tmp_path / "undisturbed"), _ingested(tmp_path / "killed")
    whole = _examples(undisturbed)
    assert whole.total() == written.usable_rows
    assert _examples(disturbed) == whole
    assert _state(disturbed) == _state(undisturbed) != {}
    assert {path.name for path in disturbed.iterdir()} == {
        "Split-train", "Split-validation", "Split-evaluation", "histories", "ingest_summary.json",
        "rejected",
    }  # fmt: skip


def _state(ingested: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the state of histories by file."""
    return {
        path.name: pq.read_table(path).to_pylist()
        for path in (ingested / "histories").glob("*/*.parquet")
    }

"""The whole pipeline with its four Beam components on a Flink cluster, beside the same on one machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from tests.engines.flink_cluster import FlinkCluster

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.tensorflow]

REFUSED = 3  # a model of so few examples


def _run(logs: Path, root: Path, beam: list[str]) -> None:
    given = [part for option in beam for part in ("--beam", option)]
    command = [sys.executable, "-m", "fulcrum", "run", "--spec", "short_video", "--logs", logs, "--root", root, "--set", "trainer.epochs=1"]  # fmt: skip
    done = subprocess.run([*command, *given], env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == REFUSED, done.stdout + done.stderr


def _outputs(root: Path, pattern: str) -> dict[str, bytes]:
    """Files by name, without the number of the execution."""
    found = sorted((root / "artifacts").glob(pattern))
    assert found, pattern
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in found}


def test_a_run_on_flink_has_the_examples_counts_and_metrics_of_one_machine(
    cluster: FlinkCluster, tmp_path: Path
):
    logs = tmp_path / "logs"
    simulate_logs(SimulationSettings(days=3, rows_per_day=400, seed=3, malformed_share=0.02), logs)
    _run(logs, tmp_path / "one", [])
    # On Python 3.11 workers have to import TFX before TFDV.
    _run(logs, tmp_path / "flink", [*cluster.beam_options(), "beam_plugin=tfx"])
    for pattern in (
        "LogsExampleGen/examples/*/*/data_tfrecord*.gz",
        "LogsExampleGen/examples/*/ingest_summary.json",
        "Evaluator/evaluation/*/values_by_part.json",
    ):
        one, flink = (_outputs(tmp_path / root, pattern) for root in ("one", "flink"))
        assert flink == one
    # Sums are the same but for the order in which they are added.
    one, flink = (
        json.loads(
            next(
                (tmp_path / root / "artifacts").glob("Evaluator/evaluation/*/evaluation.json")
            ).read_text()
        )
        for root in ("one", "flink")
    )
    said, expected = _leaves(flink), _leaves(one)
    assert said.keys() == expected.keys()
    for place, value in expected.items():
        of_rounding = isinstance(value, float)
        assert said[place] == (
            pytest.approx(value, rel=1e-9, nan_ok=True) if of_rounding else value
        )


def _leaves(value: Any, place: str = "") -> dict[str, Any]:
    """What an evaluation says, by its place in it."""
    if not isinstance(value, dict | list):
        return {place: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {
        name: one for key, part in items for name, one in _leaves(part, f"{place}/{key}").items()
    }

"""Ingestion on a Flink cluster: a job manager, task managers with pools of workers, Beam's job server."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings
from tests.engines.flink_cluster import FlinkCluster
from tests.pipeline.ingest.ingested_logs import ingested

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def on_one_machine(tmp_path_factory: pytest.TempPathFactory, cluster: FlinkCluster) -> Any:
    """Logs of events with histories, and what the runner in memory makes of them."""
    folder = tmp_path_factory.mktemp("logs")
    simulation = SimulationSettings(
        days=2, rows_per_day=200, seed=5, malformed_share=0.1, event_logs=True
    )
    simulate_logs(simulation, folder / "logs")
    return folder / "logs", ingested("short_video_events", folder / "logs", folder / "direct", [])


def _own(counters: dict[str, int]) -> dict[str, int]:
    """The counters without those that Beam adds on a cluster."""
    return {name: count for name, count in counters.items() if not name.startswith("metric:")}


def test_flink_gives_the_same_examples_counts_and_counters(
    cluster: FlinkCluster, on_one_machine: Any, tmp_path: Path
):
    logs, expected = on_one_machine
    received = ingested("short_video_events", logs, tmp_path, cluster.beam_options())
    assert expected[0].total() > 300
    assert received[0] == expected[0]
    assert received[1] == expected[1]
    assert _own(received[2]) == _own(expected[2])


def test_a_job_whose_task_manager_is_killed_ends_with_the_same_examples_and_counts(
    cluster: FlinkCluster, on_one_machine: Any, tmp_path: Path
):
    logs, expected = on_one_machine
    received: list[Any] = []
    errors: list[Exception] = []
    before = {job["jid"] for job in cluster.asked("/jobs/overview")["jobs"]}

    def ingest() -> None:
        try:
            received.append(ingested("short_video_events", logs, tmp_path, cluster.beam_options()))
        except Exception as error:
            errors.append(error)

    job = threading.Thread(target=ingest)
    job.start()

    def in_the_middle() -> bool:
        """Whether a worker has done a step and others wait."""
        overview = cluster.asked("/jobs/overview") or {"jobs": []}
        jobs = [one for one in overview["jobs"] if one["jid"] not in before]
        return any(4 < one["tasks"]["finished"] < one["tasks"]["total"] - 8 for one in jobs)

    cluster.wait(in_the_middle, while_living=job.is_alive)
    cluster.kill_task_manager(3)
    cluster.add_task_manager(4)
    job.join()
    assert not errors
    assert received[0][0] == expected[0]
    assert received[0][1] == expected[1]

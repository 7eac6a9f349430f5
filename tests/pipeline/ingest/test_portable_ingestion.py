"""Ingestion where every function is pickled and shipped, as on Flink: Beam's portable runner with the job service that it brings."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from feature_spec.names import SPLITS
from pipeline.commands.run_options import beam_arguments
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.simulator.simulate import simulate_logs
from pipeline.simulator.simulation_config import SimulationSettings

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


def _ingested(
    spec: str, logs: Path, out: Path, options: list[str]
) -> tuple[Counter[bytes], IngestSummary, dict[str, int]]:
    """Examples, summary and Beam's counters."""
    import apache_beam as beam
    import tensorflow as tf

    from pipeline.ingest.beam_ingestion import IngestLogs

    settings = IngestSettings.from_spec(load_overridden_spec(spec, ["histories.warm_up_days=0"]))
    pipeline = beam.Pipeline(
        options=beam.options.pipeline_options.PipelineOptions(beam_arguments(options))
    )
    folders = {split: str(out / split) for split in SPLITS}
    _ = pipeline | IngestLogs(settings, check_logs(settings, str(logs)), str(out), folders)
    result = pipeline.run()
    result.wait_until_finish()
    files = sorted(map(str, out.glob("*/data_tfrecord*.gz")))
    examples = Counter(
        record.numpy() for record in tf.data.TFRecordDataset(files, compression_type="GZIP")
    )
    counters = {one.key.metric.name: one.committed for one in result.metrics().query()["counters"]}
    return (
        examples,
        IngestSummary.model_validate_json((out / "ingest_summary.json").read_text()),
        counters,
    )


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
    expected, summary, _ = _ingested(spec, tmp_path / "logs", tmp_path / "direct", [])
    received, portable_summary, counters = _ingested(
        spec, tmp_path / "logs", tmp_path / "portable", options
    )
    assert received.total() == written.usable_rows > 300
    assert received == expected
    assert portable_summary == summary
    assert summary.rejected
    assert counters["step/parse/received"] == summary.lines
    assert {split: counters[f"examples/{split}"] for split in SPLITS} == summary.examples

"""Fulcrum's components in your own TFX pipeline: its ingestion and checks before your trainer.

python examples/tfx_pipeline.py LOGS ROOT    # such as logs of `fulcrum simulate --out logs`
"""

from __future__ import annotations

import sys
from pathlib import Path

from tfx.components import ExampleValidator, StatisticsGen
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from fulcrum import load_spec
from fulcrum.components import AnomalyGate, LogsExampleGen, SpecSchema


def pipeline(logs: str, root: Path) -> Pipeline:
    """Return ingestion, statistics and the gate; your own components go behind it."""
    spec = load_spec("short_video")
    examples = LogsExampleGen(spec=spec, logs=logs)
    schema = SpecSchema(spec=spec)
    statistics = StatisticsGen(examples=examples.outputs["examples"])
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    gate = AnomalyGate(anomalies=validator.outputs["anomalies"])
    return Pipeline(
        pipeline_name="mine",
        pipeline_root=str(root / "artifacts"),
        metadata_connection_config=sqlite_metadata_connection_config(str(root / "metadata.sqlite")),
        components=[examples, schema, statistics, validator, gate],
        beam_pipeline_args=["--direct_running_mode=in_memory"],
    )


if __name__ == "__main__":
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    logs, root = sys.argv[1:]
    Path(root).mkdir(parents=True, exist_ok=True)
    LocalDagRunner().run(pipeline(logs, Path(root)))

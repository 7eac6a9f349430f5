"""`LogsExampleGen`: the pipeline's first component."""

from __future__ import annotations

import datetime
import os

from tfx.components.example_gen import component
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from feature_spec.spec import FeatureSpec
from pipeline.ingest.driver import LogsDriver
from pipeline.ingest.executor import LogsExecutor, pack_settings
from pipeline.ingest.settings.ingest_config import IngestSettings


class LogsExampleGen(component.FileBasedExampleGen):
    """Ingests the logs that a feature spec describes.

    Its output `examples` has the splits of `feature_spec.names.SPLITS`; beside them lie
    `ingest_summary.json` and `rejected/`. It is cached while the files of the log and its side
    tables, and what the spec says about them, stay as they are. A table of BigQuery or a topic of
    Kafka tells nothing of changes: whoever runs the pipeline must not reuse the examples of one
    (`Logs.are_read_anew`).

    Args:
        spec: fields, tasks, and where the logs lie.
        logs: the folder that the spec's patterns are relative to.
        day: the only day to ingest, into the splits train and validation; None for all days.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogsExecutor)
    DRIVER_CLASS = LogsDriver

    def __init__(self, spec: FeatureSpec, logs: str, day: datetime.date | None = None) -> None:
        settings = IngestSettings.from_spec(spec, day)
        patterns = [
            (f"{table or 'exposures'}-{number}", pattern)
            for table, source in settings.sources.items()
            for number, pattern in enumerate(source.path)
        ]
        patterns += [
            (f"{log}-{neighbour.day}-{number}", pattern)
            for neighbour in settings.neighbouring_days
            for log, of_log in (
                ("impressions", neighbour.impressions),
                ("actions", neighbour.actions),
            )
            for number, pattern in enumerate(of_log)
        ]
        super().__init__(
            input_base=logs if "://" in logs else os.path.abspath(logs),
            # Read by the driver alone, which takes the fingerprint of all files that match.
            input_config=example_gen_pb2.Input(
                splits=[
                    example_gen_pb2.Input.Split(name=name, pattern=pattern)
                    for name, pattern in patterns
                ]
            ),
            output_config=example_gen_pb2.Output(),
            custom_config=pack_settings(settings),
        )

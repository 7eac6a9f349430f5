"""`LogsExampleGen`: the first component of the pipeline, with its driver."""

from __future__ import annotations

import datetime
import functools
import operator
import os
from typing import Any

import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.example_gen import component
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import (
    FileBasedInputProcessor,
    InputProcessor,
    QueryBasedInputProcessor,
)
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from feature_spec.names import is_uri
from feature_spec.spec import FeatureSpec
from pipeline.ingest.executor import LogsExecutor, pack_settings
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.workspace.artifact_types import EARLIER


class FilesThroughBeam(FileBasedInputProcessor):
    """Fingerprints files, as TFX does, where only Beam knows the file system, such as ``s3://``."""

    def resolve_span_and_version(self) -> tuple[int, None]:
        """Take the fingerprint of each split: the number of files, their sizes and their times."""
        self._fingerprint = "\n".join(
            _fingerprint(split.name, f"{self._input_base_uri}/{split.pattern}")
            for split in self._splits
        )
        return 0, None


def _fingerprint(split: str, pattern: str) -> str:
    [match] = FileSystems.match([pattern])
    times = [int(file.last_updated_in_seconds) for file in match.metadata_list]
    size = sum(file.size_in_bytes for file in match.metadata_list)
    either = functools.reduce(operator.xor, times, 0)
    return (
        f"split:{split},num_files:{len(times)},total_bytes:{size},"
        f"xor_checksum:{either},sum_checksum:{sum(times)}"
    )


class LogsDriver(FileBasedDriver):
    """TFX's driver, which fingerprints input files; other sources are reused by the spec alone."""

    def get_input_processor(
        self, splits: Any, range_config: Any = None, input_base_uri: str | None = None
    ) -> InputProcessor:
        """Return the processor that fingerprints the input."""
        if not splits:
            return QueryBasedInputProcessor(splits, range_config)
        scheme = (input_base_uri or "").partition("://")[0]
        if is_uri(input_base_uri or "") and scheme not in tf.io.gfile.get_registered_schemes():
            return FilesThroughBeam(input_base_uri, splits)
        return super().get_input_processor(splits, range_config, input_base_uri)


class _SpecWithEarlier(standard_component_specs.FileBasedExampleGenSpec):
    INPUTS = {
        EARLIER: component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True)
    }


class LogsExampleGen(component.FileBasedExampleGen):
    """Ingests the logs that a feature spec describes.

    The output `examples` has the splits of `feature_spec.names.SPLITS`; beside the splits lie
    `ingest_summary.json` and `rejected/`. The output is reused while the log files, the side tables
    and what the spec says about them stay as they are. A BigQuery table or a Kafka topic does not
    tell when it changes, so a runner must not reuse examples from one (`Logs.are_read_anew`).

    Args:
        spec: the feature spec with fields, tasks, and the place of the logs.
        logs: the folder that the spec's path patterns are relative to.
        day: the only day to ingest, into the splits train and validation; None for all days.
        earlier: an Examples channel of the day before, whose state of histories the day goes on
            with; None, or a channel without artifacts, to begin without.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(LogsExecutor)
    DRIVER_CLASS = LogsDriver

    def __init__(
        self,
        spec: FeatureSpec,
        logs: str,
        day: datetime.date | None = None,
        earlier: types.BaseChannel | None = None,
    ) -> None:
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
        parameters: dict[str, Any] = {
            "input_base": logs if is_uri(logs) else os.path.abspath(logs),
            # Only the driver reads these splits, to fingerprint all files that match.
            "input_config": example_gen_pb2.Input(
                splits=[
                    example_gen_pb2.Input.Split(name=name, pattern=pattern)
                    for name, pattern in patterns
                ]
            ),
            "output_config": example_gen_pb2.Output(),
            "custom_config": pack_settings(settings),
        }
        if earlier is None:
            super().__init__(**parameters)
            return
        base_beam_component.BaseBeamComponent.__init__(
            self,
            spec=_SpecWithEarlier(
                **parameters,
                output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
                output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
                examples=types.Channel(type=standard_artifacts.Examples),
                **{EARLIER: earlier},
            ),
        )

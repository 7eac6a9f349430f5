"""The executor of `LogsExampleGen`."""

from __future__ import annotations

import gzip
import io
import logging
from typing import Any

import pyarrow.parquet as pq
from google.protobuf import wrappers_pb2
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from feature_spec.artifacts.history_state import HISTORIES
from pipeline.ingest.accounting.rejects import REJECTED_FOLDER, kept_rejects
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.ingest.beam_ingestion import IngestLogs
from pipeline.ingest.examples.shard_writing import UNFINISHED_FOLDER
from pipeline.ingest.histories.history_steps import EarlierState
from pipeline.ingest.histories.state import read_state
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.workspace.artifact_types import EARLIER, HISTORIES_OF_DAY, HISTORY_DIGEST

_log = logging.getLogger(__name__)


class LogsExecutor(base_beam_executor.BaseBeamExecutor):
    """Ingests logs in Beam.

    It writes the splits itself, in place of `BaseExampleGenExecutor.Do`. So every run gives the
    same order of examples, and an element of the shuffle holds thousands of records, not one.
    """

    def Do(  # noqa: N802 (the name TFX calls)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write examples, rejected lines and the summary.

        Args:
            input_dict: `earlier`, if there is one, the Examples artifact whose state of histories
                goes on.
            output_dict: `examples`, an Examples artifact, which gets the totals of the summary as
                custom properties; and the day and the digest of its state of histories.
            exec_properties: `input_base`, the logs folder; `custom_config`, the settings packed by
                `pack_settings`.

        Raises:
            ValueError: the logs do not fit the spec, or too few of their lines can be used.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        settings = unpack_settings(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        files = check_logs(settings, folder)

        (artifact,) = output_dict[standard_component_specs.EXAMPLES_KEY]
        artifact.split_names = artifact_utils.encode_split_names(list(settings.splits))
        split_folders = {
            split: artifact_utils.get_split_uri([artifact], split) for split in settings.splits
        }
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "IngestLogs" >> IngestLogs(
                settings, files, artifact.uri, split_folders, _earlier_state(settings, input_dict)
            )
        if fileio.exists(f"{artifact.uri}/{UNFINISHED_FOLDER}"):
            fileio.rmtree(f"{artifact.uri}/{UNFINISHED_FOLDER}")

        summary = read_summary(artifact.uri)
        try:
            summary.check(settings)
        except ValueError as error:
            # TFX removes the artifact of a failed run. Users need the rejected lines.
            examples = _examples_of_rejected(artifact.uri)
            if not examples:
                raise
            kept = kept_rejects(artifact.uri)
            fileio.rename(f"{artifact.uri}/{REJECTED_FOLDER}", kept, overwrite=True)
            raise ValueError(f"{error}{examples}\n  all of them: {kept}") from error
        for split, split_folder in split_folders.items():
            if not summary.examples[split]:  # of a day without lines
                _write_no_examples(split_folder)
        record_totals(artifact, summary)
        if settings.histories is not None and settings.day is not None:
            artifact.set_int_custom_property(HISTORIES_OF_DAY, settings.day.toordinal())
            artifact.set_string_custom_property(HISTORY_DIGEST, settings.history_digest)
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(
            artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )
        _log.info(
            "Ingested %d lines: %s examples, %s rejected.",
            summary.lines,
            summary.examples,
            summary.rejected,
        )


def _earlier_state(
    settings: IngestSettings, input_dict: dict[str, list[types.Artifact]]
) -> EarlierState | None:
    """Return the state of histories to go on with, if there is one.

    Raises:
        ValueError: it was made under another spec.
    """
    artifacts = input_dict.get(EARLIER, [])
    if settings.histories is None or not artifacts:
        return None
    folder = f"{artifacts[0].uri}/{HISTORIES}"
    state = read_state(folder)
    if state.digest != settings.history_digest:
        raise ValueError(
            f"the histories in {folder} were made under another spec ({state.digest}; this one is "
            f"{settings.history_digest}): ingest the days before {settings.day} again"
        )
    return EarlierState(folder, state)


def read_summary(uri: str) -> IngestSummary:
    """Read the summary of an ingestion from the URI of its Examples artifact."""
    with fileio.open(f"{uri}/{SUMMARY_FILE}") as file:
        return IngestSummary.model_validate_json(file.read())


def record_totals(examples: types.Artifact, summary: IngestSummary) -> None:
    """Store the totals as custom properties, so that ML Metadata has them without files."""
    for name, count in summary.totals.items():
        examples.set_int_custom_property(name, count)


def pack_settings(settings: IngestSettings) -> example_gen_pb2.CustomConfig:
    """Pack settings into an execution property, which makes them part of the cache key."""
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(wrappers_pb2.StringValue(value=settings.to_json()))
    return config


def unpack_settings(json_of_config: str) -> IngestSettings:
    """Read the settings that `pack_settings` packed and TFX turned into JSON."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(json_of_config, config)
    text = wrappers_pb2.StringValue()
    config.custom_config.Unpack(text)
    return IngestSettings.model_validate_json(text.value)


def _write_no_examples(folder: str) -> None:
    """Write a file without examples, because readers of a split want a file."""
    fileio.makedirs(folder)
    with fileio.open(f"{folder}/data_tfrecord-00000-of-00001.gz", "wb") as file:
        file.write(gzip.compress(b"", mtime=0))


def _examples_of_rejected(uri: str) -> str:
    """Describe the first rejected line of each reason, for an error message."""
    first: dict[str, str] = {}
    for path in sorted(fileio.glob(f"{uri}/{REJECTED_FOLDER}/*.parquet")):
        with fileio.open(path, "rb") as stored:
            # Arrow cannot read TensorFlow's files themselves.
            for batch in pq.ParquetFile(io.BytesIO(stored.read())).iter_batches(
                columns=["source", "offset", "reason", "detail"]
            ):
                for entry in batch.to_pylist():
                    place = f"{entry['source']}, line {entry['offset']}"
                    place += f": {entry['reason']}: {entry['detail']}"
                    first.setdefault(entry["reason"], place)
    return "".join(f"\n  {place}" for _, place in sorted(first.items()))

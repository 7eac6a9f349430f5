"""Logs to examples for a model that is there already: every usable line, none sampled out."""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from feature_spec.spec import FeatureSpec
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.predict.model_lookup import NothingToPredictError

if TYPE_CHECKING:
    from pipeline.ingest.settings.ingest_config import IngestSettings
    from pipeline.ingest.sources.files import InputFiles


def ingest(
    spec: FeatureSpec, logs: str, folder: Path, beam_arguments: list[str]
) -> tuple[list[str], IngestSummary]:
    """Ingest logs into a folder.

    Neither the limits of rejected lines nor the splits hold here: what a line became is counted,
    and nothing is trained. Histories begin with the first line of these logs.

    Args:
        spec: the spec of the model.
        logs: the folder that the spec's log paths are relative to.
        folder: an empty folder for the examples.
        beam_arguments: Beam pipeline options.

    Returns:
        The files of examples, in folders named by split, and the summary.

    Raises:
        ValueError: the logs are not as the spec says, or none of their lines can be used.
    """
    import apache_beam as beam
    import tfx  # noqa: F401  (before tfx_bsl, which on Python 3.11 needs TFX's stand-in)
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.ingest.beam_ingestion import IngestLogs
    from pipeline.ingest.settings.ingest_config import IngestSettings

    settings = IngestSettings.from_spec(spec).model_copy(update={"sampling": None})
    files = _checked_files(settings, logs)
    split_folders = {split: str(folder / f"Split-{split}") for split in settings.splits}
    with beam.Pipeline(options=PipelineOptions(beam_arguments)) as pipeline:
        _ = pipeline | "IngestLogs" >> IngestLogs(settings, files, str(folder), split_folders)
    text = (folder / SUMMARY_FILE).read_text(encoding="utf-8")
    summary = IngestSummary.model_validate_json(text)
    if summary.absent_columns or (problems := summary.differences()):
        problems = summary.absent_columns or problems
        raise ValueError("\n  ".join([f"the logs in {logs} cannot be ingested", *problems]))
    if not sum(summary.examples.values()):
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.rejected.items())
        raise NothingToPredictError(
            f"none of the {summary.lines:,} lines in {logs} can be used: {reasons or 'no line'}"
        )
    return sorted(map(str, folder.glob("Split-*/*.gz"))), summary


def _checked_files(settings: IngestSettings, logs: str) -> InputFiles:
    """Return the files of logs that have the columns; none needs to be of `evaluation_files`."""
    from pipeline.ingest.log_check import check_logs

    split = settings.split.model_copy(update={"evaluation_files": None})
    files = check_logs(settings.model_copy(update={"split": split}), logs)
    names = [file.name for file in files.sources[None]]
    judging = (fnmatch.filter(names, one) for one in settings.split.evaluation_files or [])
    return dataclasses.replace(files, evaluation=frozenset(itertools.chain(*judging)))

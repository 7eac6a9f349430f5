"""Logs ingested by whatever runner, with what can be compared between runners."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from feature_spec.names import SPLITS
from pipeline.commands.run_options import beam_arguments
from pipeline.commands.spec_overrides import load_overridden_spec
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings


def ingested(
    spec: str, logs: Path, out: Path, options: list[str]
) -> tuple[Counter[bytes], IngestSummary, dict[str, int]]:
    """Ingest logs by a runner; returns the examples, the summary and Beam's counters."""
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

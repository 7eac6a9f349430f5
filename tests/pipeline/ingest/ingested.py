"""Ingestion in Beam's in-memory runner, and what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from feature_spec.names import SPLITS
from pipeline.ingest.accounting.summary import IngestSummary
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings

if TYPE_CHECKING:
    from pipeline.ingest.histories.history_steps import EarlierState


class Ingested:
    """What one run of ingestion wrote."""

    def __init__(
        self,
        settings: IngestSettings,
        logs: Path,
        out: Path,
        earlier: EarlierState | None = None,
    ) -> None:
        import apache_beam as beam

        from pipeline.ingest.beam_ingestion import IngestLogs

        self.out = out
        files = check_logs(settings, str(logs))
        options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
        pipeline = beam.Pipeline("DirectRunner", options=options)
        _ = pipeline | IngestLogs(
            settings, files, str(out), {split: str(out / split) for split in SPLITS}, earlier
        )
        result = pipeline.run()
        result.wait_until_finish()
        self.metrics = {
            one.key.metric.name: one.committed for one in result.metrics().query()["counters"]
        }
        self.summary = IngestSummary.model_validate_json((out / "ingest_summary.json").read_text())

    def examples(self, split: str) -> list[bytes]:
        """Serialised examples in the order of the files."""
        import tensorflow as tf

        files = sorted(str(path) for path in (self.out / split).glob("*"))
        return [
            record.numpy() for record in tf.data.TFRecordDataset(files, compression_type="GZIP")
        ]

    def features(self) -> list[dict[str, Any]]:
        """The features of all examples."""
        import tensorflow as tf

        parsed = [
            tf.train.Example.FromString(example).features.feature
            for split in SPLITS
            for example in self.examples(split)
        ]
        return [
            {
                name: list(getattr(value, value.WhichOneof("kind")).value)
                for name, value in one.items()
            }
            for one in parsed
        ]

    def rejected(self) -> list[dict[str, Any]]:
        """The entries of the rejected file."""
        return [
            entry
            for path in sorted((self.out / "rejected").glob("*.parquet"))
            for entry in pq.read_table(path).to_pylist()
        ]

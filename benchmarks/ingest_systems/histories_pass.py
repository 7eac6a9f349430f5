"""One ingestion of simulated exposures, with 4 counts and 1 sequence, or without histories.

python -m benchmarks.ingest_systems.histories_pass LOGS OUT with|without
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.worker import report_work
from feature_spec.loading import load_spec, parse_spec
from feature_spec.spec import FeatureSpec
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.ingest.beam_ingestion import IngestLogs
from pipeline.ingest.log_check import check_logs
from pipeline.ingest.settings.ingest_config import IngestSettings

HISTORIES: dict[str, Any] = {
    "known_after_s": 600,
    "counts": {
        "user": {"by": ["user_id"]},
        "video": {"by": ["video_id"], "windows_s": [86_400]},
        "author": {"by": ["author_id"], "tasks": ["vtr", "ctr"]},
        "user_category": {"by": ["user_id", "category"], "tasks": ["vtr", "ctr"]},
    },
    "sequences": {
        "viewed": {
            "by": "user_id",
            "where": {"event": "played"},
            "fields": ["video_id", "author_id", "category"],
            "max_length": 50,
        }
    },
}


def spec(with_histories: bool) -> FeatureSpec:
    """Return the ready spec of short videos, with these histories or without any."""
    content = load_spec("short_video").model_dump(mode="json", exclude_unset=True)
    content["fields"] = {
        name: field for name, field in content["fields"].items() if not field.get("history")
    }
    content.pop("histories", None)
    return parse_spec(json.dumps(content | ({"histories": HISTORIES} if with_histories else {})))


def main(logs: str, out: str, histories: str) -> None:
    """Ingest the logs once and report the figures."""
    settings = IngestSettings.from_spec(spec(histories == "with"))

    def work() -> int:
        files = check_logs(settings, logs)
        folders = {split: f"{out}/{split}" for split in settings.splits}
        options = PipelineOptions(["--direct_running_mode=in_memory"])
        with beam.Pipeline("DirectRunner", options=options) as pipeline:
            _ = pipeline | IngestLogs(settings, files, out, folders)
        summary = IngestSummary.model_validate_json((Path(out) / SUMMARY_FILE).read_text())
        return summary.lines

    report_work(work)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Beam's direct runner with nothing to do but shuffle lines, each an element.

Arguments: folder of the logs, number of rows.
"""

from __future__ import annotations

import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.worker import report_work


def hand_on(logs: str, rows: int) -> int:
    """Read lines, assign each to a shard, and return the number of rows."""
    options = PipelineOptions(["--runner=DirectRunner", "--direct_running_mode=in_memory"])
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(f"{logs}/exposures/day=*/*.jsonl.gz")
            | beam.Map(lambda line: (hash(line) % 16, line))
            | beam.GroupByKey()
            | beam.Map(lambda shard: sum(1 for _ in shard[1]))
        )
    return rows


if __name__ == "__main__":
    report_work(lambda: hand_on(sys.argv[1], int(sys.argv[2])))

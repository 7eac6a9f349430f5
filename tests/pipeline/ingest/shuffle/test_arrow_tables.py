"""Tables wait in files where the runner would hold them in memory, and travel as they are elsewhere."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_pipeline as testing
from apache_beam.testing.util import assert_that, equal_to

from pipeline.ingest.shuffle.arrow_tables import Spill, SpilledTable, from_ipc, to_ipc

pytestmark = pytest.mark.tensorflow

TABLES = [
    (shard, to_ipc(pa.table({"line": [shard, 10 * number]})))
    for shard in range(2)
    for number in range(1, 4)
]


def _lines(tables: tuple[int, list[SpilledTable]]) -> tuple[int, list[int]]:
    shard, stored = tables
    assert all(isinstance(table, SpilledTable) for table in stored)
    return shard, sorted(from_ipc(stored).column("line").to_pylist())


def test_tables_wait_in_files_while_they_are_grouped_in_memory(tmp_path: Path) -> None:
    with testing.TestPipeline() as pipeline:
        grouped = (
            pipeline
            | beam.Create(TABLES)
            | Spill(str(tmp_path / "waiting"))
            | beam.GroupByKey()
            | beam.Map(_lines)
        )
        assert_that(grouped, equal_to([(0, [0, 0, 0, 10, 20, 30]), (1, [1, 1, 1, 10, 20, 30])]))
    written = [path.stat().st_size for path in (tmp_path / "waiting").iterdir()]
    assert sum(written) == sum(len(table) for _, table in TABLES)


def test_tables_travel_as_they_are_by_other_runners(tmp_path: Path) -> None:
    pipeline = beam.Pipeline(runner="FlinkRunner", options=PipelineOptions(runner="FlinkRunner"))
    tables = pipeline | beam.Create(TABLES)
    assert tables | Spill(str(tmp_path)) is tables

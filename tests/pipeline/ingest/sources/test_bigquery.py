"""What Beam's BigQuery connector is asked for, and its rows where stand-ins for Google's services give them."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from feature_spec.logs.bigquery import BigQueryRows

pytestmark = pytest.mark.slow


def _source(rows: BigQueryRows, *options: str) -> Any:
    """Beam's source of the rows, as it is wired into a pipeline."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.ingest.sources.bigquery import read_from_bigquery

    pipeline = beam.Pipeline("DirectRunner", options=PipelineOptions([*options]))
    _ = pipeline | "Read" >> read_from_bigquery(rows)
    sources: list[Any] = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: Any) -> None:
            self.enter_composite_transform(node)

        def enter_composite_transform(self, node: Any) -> None:
            if isinstance(node.transform, beam.io.Read):
                sources.append(node.transform.source)

    pipeline.visit(Visitor())
    (source,) = {
        id(source): source for source in sources if "BigQuery" in type(source).__name__
    }.values()
    return source


def test_a_table_is_exported_for_its_own_project() -> None:
    source = _source(BigQueryRows(table="my-project.d.shown", gcs_location="gs://bucket/exports"))
    table = source.table_reference
    assert (table.projectId, table.datasetId, table.tableId) == ("my-project", "d", "shown")
    assert (source.method, source._get_project(), source.gcs_location.get()) == (
        "EXPORT",
        "my-project",
        "gs://bucket/exports",
    )


def test_another_project_pays_where_the_spec_or_beam_names_one() -> None:
    rows = BigQueryRows(table="my-project.d.shown", project="q", gcs_location="gs://bucket/exports")
    assert _source(rows)._get_project() == "q"
    assert _source(rows, "--project=r")._get_project() == "r"


def test_a_query_is_standard_sql_with_its_result_in_the_dataset_given() -> None:
    rows = BigQueryRows(
        query="SELECT 1",
        project="q",
        temp_dataset="my-project.scratch",
        gcs_location="gs://bucket/exports",
    )
    source = _source(rows)
    assert (source.query.get(), source.use_legacy_sql) == ("SELECT 1", False)
    assert (source.temp_dataset.projectId, source.temp_dataset.datasetId) == (
        "my-project",
        "scratch",
    )


def test_legacy_sql_is_asked_for() -> None:
    assert _source(
        BigQueryRows(query="SELECT 1", use_standard_sql=False, method="DIRECT_READ", project="q")
    ).use_legacy_sql


def test_a_direct_read_asks_for_native_times() -> None:
    source = _source(BigQueryRows(table="my-project.d.shown", method="DIRECT_READ"))
    assert (source.method, source.use_native_datetime) == ("DIRECT_READ", True)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            {"table": "my-project.d.shown"},
            [],
            "logs.exposures.bigquery.gcs_location: method EXPORT needs a folder of Cloud Storage",
        ),
        ({"table": "my-project.d.shown"}, ["--temp_location=/tmp"], "received '/tmp'"),
        (
            {"query": "SELECT 1", "method": "DIRECT_READ"},
            [],
            "logs.exposures.bigquery.project: a query needs a project that pays",
        ),
        ({"table": "my-project.d.shown"}, ["--temp_location=gs://b/t"], None),
        ({"query": "SELECT 1", "method": "DIRECT_READ"}, ["--project=q"], None),
    ],
)
def test_what_beam_would_miss_in_the_middle_of_a_run_is_missed_before(
    rows: dict[str, Any], options: list[str], message: str | None
) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.ingest.sources.bigquery import check_bigquery_options

    if message is None:
        check_bigquery_options(BigQueryRows(**rows), PipelineOptions(options), "logs.exposures")
    else:
        with pytest.raises(ValueError, match=message):
            check_bigquery_options(BigQueryRows(**rows), PipelineOptions(options), "logs.exposures")


class ReadClient:
    """Stands for Google's client of the Storage Read API: two streams of a row each."""

    shown_at = datetime.datetime(2022, 5, 1, 12, tzinfo=datetime.UTC)
    streams = {"one": [{"id": 1, "shown_at": shown_at}], "other": [{"id": 2, "shown_at": None}]}

    def create_read_session(self, parent: str, read_session: Any, max_stream_count: int) -> Any:
        assert (parent, read_session.table) == (
            "projects/my-project",
            "projects/my-project/datasets/d/tables/shown",
        )
        streams = [SimpleNamespace(name=name) for name in self.streams]
        return SimpleNamespace(
            streams=streams, arrow_schema="", data_format="ARROW", estimated_total_bytes_scanned=0
        )

    def read_rows(self, stream: str, **_: Any) -> Any:
        rows = [
            {name: pa.scalar(value) for name, value in row.items()} for row in self.streams[stream]
        ]
        return SimpleNamespace(rows=lambda: rows)


def test_a_direct_read_gives_each_row_of_each_stream_as_a_dict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import apache_beam as beam
    from apache_beam.io.gcp import bigquery as connector
    from apache_beam.io.gcp.bigquery_tools import BigQueryWrapper
    from apache_beam.testing.util import assert_that, equal_to

    from pipeline.ingest.sources.bigquery import read_from_bigquery

    monkeypatch.setattr(connector.bq_storage, "BigQueryReadClient", ReadClient)
    monkeypatch.setattr(BigQueryWrapper, "get_table", lambda *_: SimpleNamespace(numBytes=100))
    monkeypatch.setattr(BigQueryWrapper, "_bigquery_client", lambda _: SimpleNamespace())
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline("DirectRunner", options=options) as pipeline:
        rows = pipeline | read_from_bigquery(
            BigQueryRows(table="my-project.d.shown", method="DIRECT_READ")
        )
        assert_that(
            rows,
            equal_to([{"id": 1, "shown_at": ReadClient.shown_at}, {"id": 2, "shown_at": None}]),
        )


def test_an_export_gives_each_row_of_each_file_as_a_dict_and_removes_the_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import apache_beam as beam
    from apache_beam.io.gcp.bigquery_tools import BigQueryWrapper
    from apache_beam.testing.util import assert_that, equal_to

    from pipeline.ingest.sources.bigquery import read_from_bigquery

    rows = [
        {"id": number, "shown_at": ReadClient.shown_at, "price": decimal.Decimal("1.50")}
        for number in range(4)
    ]
    price = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    types = {
        "id": "long",
        "shown_at": {"type": "long", "logicalType": "timestamp-micros"},
        "price": price,
    }
    schema = {
        "type": "record",
        "name": "Root",
        "fields": [{"name": name, "type": kind} for name, kind in types.items()],
    }

    def export(_: Any, destinations: list[str], *__: Any, **options: Any) -> None:
        assert options["project"] == "my-project"
        (pattern,) = map(Path, destinations)
        pattern.parent.mkdir()
        for number in range(2):
            with (pattern.parent / pattern.name.replace("*", str(number))).open("wb") as file:
                fastavro.writer(file, schema, rows[2 * number : 2 * number + 2])

    monkeypatch.setattr(BigQueryWrapper, "perform_extract_job", export)
    monkeypatch.setattr(BigQueryWrapper, "wait_for_bq_job", lambda *_: None)
    monkeypatch.setattr(
        BigQueryWrapper,
        "get_table",
        lambda *_: SimpleNamespace(numBytes=100, schema=SimpleNamespace(fields=[])),
    )
    monkeypatch.setattr(BigQueryWrapper, "_bigquery_client", lambda _: SimpleNamespace())
    # A folder of this machine stands for one of Cloud Storage, which alone the spec takes.
    source = BigQueryRows(table="my-project.d.shown").model_copy(
        update={"gcs_location": str(tmp_path)}
    )
    options = beam.options.pipeline_options.PipelineOptions(["--direct_running_mode=in_memory"])
    with beam.Pipeline("DirectRunner", options=options) as pipeline:
        assert_that(pipeline | read_from_bigquery(source), equal_to(rows))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

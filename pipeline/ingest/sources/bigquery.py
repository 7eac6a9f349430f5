"""Rows of BigQuery, read by Beam's own connector."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.bigquery import ReadFromBigQuery
from apache_beam.io.gcp.internal.clients.bigquery import DatasetReference
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from feature_spec.logs.bigquery import BigQueryRows


def read_from_bigquery(rows: BigQueryRows) -> beam.PTransform:
    """Return Beam's transform that reads each row as a dict."""
    arguments: dict[str, Any] = {"method": rows.method}
    if rows.table is not None:
        arguments |= {"table": rows.table, "project": rows.project or rows.table.rsplit(".", 2)[0]}
    else:
        arguments |= {
            "query": rows.query,
            "use_standard_sql": rows.use_standard_sql,
            "project": rows.project,
        }
    if rows.method == "EXPORT":
        arguments["gcs_location"] = rows.gcs_location
    else:
        # Both methods then give the same Python types.
        arguments["use_native_datetime"] = True
    if rows.temp_dataset is not None:
        project, dataset = rows.temp_dataset.rsplit(".", 1)
        arguments["temp_dataset"] = DatasetReference(projectId=project, datasetId=dataset)
    return ReadFromBigQuery(**arguments)


def check_bigquery_options(rows: BigQueryRows, options: PipelineOptions, place: str) -> None:
    """Check for what Beam would miss in the middle of its run.

    Args:
        rows: the table or query to read.
        options: Beam's options.
        place: the path of the source in the feature spec.

    Raises:
        ValueError: there is no folder for exported files, or no project that pays for a query.
    """
    cloud = options.view_as(GoogleCloudOptions)
    if (
        rows.method == "EXPORT"
        and rows.gcs_location is None
        and not (cloud.temp_location or "").startswith("gs://")
    ):
        raise ValueError(
            f"{place}.bigquery.gcs_location: method EXPORT needs a folder of Cloud Storage here, "
            f"or as Beam's option (--beam temp_location=gs://…, received {cloud.temp_location!r}); "
            "or give method DIRECT_READ"
        )
    if rows.query is not None and not (rows.project or rows.temp_dataset or cloud.project):
        raise ValueError(
            f"{place}.bigquery.project: a query needs a project that pays, "
            "here or as --beam project=…"
        )

"""Rejected lines of earlier runs, found again below a root."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.accounting.rejection import REJECTED_SCHEMA
from pipeline.ingest.accounting.summary import SUMMARY_FILE
from pipeline.workspace.artifact_files import matching_files, read_bytes
from pipeline.workspace.root import Root

REJECTED_FOLDER = "rejected"


def kept_rejects(artifact: str) -> str:
    """Return the folder of an artifact's rejected lines after they stopped the run.

    Otherwise they lie within the artifact.
    """
    return f"{artifact}_{REJECTED_FOLDER}"


def latest_rejects(root: Path) -> tuple[str, pa.Table]:
    """Find the rejected lines of the latest ingestion, whether it ended well or they stopped it.

    Args:
        root: the root given to `fulcrum run`.

    Returns:
        the folder or URI of the lines, and the lines (`REJECTED_SCHEMA`) by source and offset.

    Raises:
        FileNotFoundError: nothing was ingested yet.
        OSError: the file system of the artifacts cannot be reached.
    """
    # A run by span has a node a day.
    artifacts, examples = Root(root).artifacts, "LogsExampleGen*/examples"
    ended = (
        os.path.dirname(summary)
        for summary in matching_files(artifacts, f"{examples}/*/{SUMMARY_FILE}")
    )
    found = {os.path.basename(artifact): f"{artifact}/{REJECTED_FOLDER}" for artifact in ended}
    for file in matching_files(artifacts, f"{examples}/{kept_rejects('*')}/*.parquet"):
        folder = os.path.dirname(file)
        found[os.path.basename(folder).removesuffix(kept_rejects(""))] = folder
    numbers = [int(number) for number in found if number.isdecimal()]
    if not numbers:
        raise FileNotFoundError(
            f"{root}: no logs were ingested here yet; `fulcrum run --root {root}` does that"
        )
    folder = found[str(max(numbers))]
    files = matching_files(folder, "*.parquet")
    tables = [pq.read_table(io.BytesIO(read_bytes(file)), schema=REJECTED_SCHEMA) for file in files]
    lines = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *tables])
    return folder, lines.sort_by([("source", "ascending"), ("offset", "ascending")])

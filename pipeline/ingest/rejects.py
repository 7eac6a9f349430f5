"""The rejected lines that runs of a root left."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.ingest.rejection import REJECTED_SCHEMA
from pipeline.root import Root

REJECTED_FOLDER = "rejected"


def kept_rejects(artifact: str) -> str:
    """Where the rejected lines of an artifact lie after they stopped the run; else they lie within it."""
    return f"{artifact}_{REJECTED_FOLDER}"


def latest_rejects(root: Path) -> tuple[Path, pa.Table]:
    """Finds the rejected lines of the latest ingestion, whether it ended well or they stopped it.

    Args:
        root: as given to `fulcrum run`.

    Returns:
        their folder, and the lines (`REJECTED_SCHEMA`) by source and offset.

    Raises:
        FileNotFoundError: nothing was ingested yet.
    """
    found = {}
    # A run by span has a node a day.
    for path in Root(root).artifacts.glob("LogsExampleGen*/examples/*"):
        number, _, kept = path.name.partition("_")
        if number.isdecimal() and kept in ("", REJECTED_FOLDER):
            found[int(number)] = path if kept else path / REJECTED_FOLDER
    if not found:
        raise FileNotFoundError(f"{root}: no logs were ingested here yet; `fulcrum run --root {root}` does that")
    folder = found[max(found)]
    tables = [pq.read_table(path, schema=REJECTED_SCHEMA) for path in sorted(folder.glob("*.parquet"))]
    lines = pa.concat_tables([REJECTED_SCHEMA.empty_table(), *tables])
    return folder, lines.sort_by([("source", "ascending"), ("offset", "ascending")])

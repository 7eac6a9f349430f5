"""Side tables as files that travel with a pushed version, for clients to fill in requests from."""

from __future__ import annotations

import gzip
import io
import json

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from feature_spec.names import INGESTED_TABLES
from pipeline.ingest.labelling.labelled_rows import FIELD
from pipeline.ingest.labelling.log_tables import KEY
from pipeline.ingest.shuffle.arrow_tables import from_ipc

_BATCH_ROWS = 10_000


def write_table(named: tuple[str, bytes], folder: str) -> None:
    """Write a side table as gzipped JSON lines, `{"key": …, "fields": {…}}`; nulls are left out.

    Args:
        named: the table's name, and its rows as `read_side_table` gives them, serialised.
        folder: the folder of the examples.
    """
    name, rows = named
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as file:
        for batch in from_ipc([rows]).to_batches(_BATCH_ROWS):
            for row in batch.to_pylist():
                fields = {
                    column.removeprefix(FIELD): _as_json(value)
                    for column, value in row.items()
                    if column != KEY and value is not None
                }
                line = json.dumps({"key": _as_json(row[KEY]), "fields": fields}, ensure_ascii=False)
                file.write(f"{line}\n".encode())
    path = FileSystems.join(folder, INGESTED_TABLES, f"{name}.jsonl.gz")
    # Beam would compress it once more, by its name.
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stored:
        stored.write(content.getvalue())


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    return [_as_json(element) for element in value] if isinstance(value, list) else value

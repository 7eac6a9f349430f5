"""Side tables as files that travel with a pushed version, for clients to fill in requests from."""

from __future__ import annotations

import gzip
import io
import json

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from feature_spec.names import INGESTED_TABLES
from pipeline.ingest.labelling.labelled_rows import FIELD
from pipeline.ingest.labelling.log_tables import DISPLAY, KEY
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_tables import from_ipc

_BATCH_ROWS = 10_000


def write_table(named: tuple[str, bytes], settings: IngestSettings, folder: str) -> None:
    """Write a side table as gzipped JSON lines, `{"key": …, "fields": {…}, "display": …}`.

    The first line is `{"key_field": …}`, the field of a request that names a row. A table whose key
    is no field is not written. Nulls are left out.

    Args:
        named: the table's name, and its rows as `read_side_table` gives them, serialised.
        settings: the spec's rules.
        folder: the folder of the examples.
    """
    name, rows = named
    key_field = settings.key_field(name)
    if key_field is None:
        return
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as file:
        file.write(f"{json.dumps({'key_field': key_field})}\n".encode())
        for batch in from_ipc([rows]).to_batches(_BATCH_ROWS):
            for row in batch.to_pylist():
                fields = {
                    column.removeprefix(FIELD): _as_json(value)
                    for column, value in row.items()
                    if column.startswith(FIELD) and value is not None
                }
                line = {"key": _as_json(row[KEY]), "fields": fields}
                if row.get(DISPLAY) is not None:
                    line["display"] = _as_json(row[DISPLAY])
                file.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
    path = FileSystems.join(folder, INGESTED_TABLES, f"{name}.jsonl.gz")
    # Beam would compress it once more, by its name.
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stored:
        stored.write(content.getvalue())


def _as_json(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    return [_as_json(element) for element in value] if isinstance(value, list) else value

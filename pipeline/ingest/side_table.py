"""A side table: the fields of users or items by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.ingest import tally as counted
from pipeline.ingest.conversion import FieldValue, text_reader
from pipeline.ingest.files import LogFile
from pipeline.ingest.labelled_record import field_readers, read_fields
from pipeline.ingest.records import read_records
from pipeline.ingest.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.settings import IngestSettings
from pipeline.ingest.tally import Tally

# From key to the values of the table's fields, in the order of the settings.
TableRows = dict[bytes, tuple[FieldValue | None, ...]]


def read_side_table(
    name: str, files: Iterable[LogFile], settings: IngestSettings
) -> tuple[TableRows, list[RejectedLine], Tally]:
    """Reads a whole side table, which has to fit into memory.

    Args:
        name: of the side table.
        files: in the order in which rows of one key take precedence.
        settings: the spec's rules.

    Returns:
        the rows by key, the lines that cannot be used, and the counts of both. Of several rows with one key, the first counts.
    """
    table = settings.logs.tables[name]
    missing = frozenset(settings.logs.missing_values)
    read_key = text_reader(table.key, missing)
    readers = field_readers(settings.fields_of(name), missing)
    rows: TableRows = {}
    rejected: list[RejectedLine] = []
    counts: Tally = Counter()
    for file in files:
        for line, raw, record in read_records(file, table, settings.logs.max_line_bytes):
            counts[counted.TABLE_LINES, name] += 1
            try:
                if isinstance(record, UnusableLineError):
                    raise record
                key = read_key(record.get(table.key))
                if key is None:
                    raise UnusableLineError(Reason.MISSING_KEY, f"{table.key}: missing")
                values = read_fields(readers, record)
            except UnusableLineError as unusable:
                counts[counted.TABLE_REJECTED, name, unusable.reason] += 1
                rejected.append(RejectedLine(file.name, line, unusable.reason, unusable.detail, raw))
                continue
            if key in rows:
                counts[counted.TABLE_REPEATED, name] += 1
            else:
                rows[key] = values
                counts[counted.TABLE_ROWS, name] += 1
    return rows, rejected, counts

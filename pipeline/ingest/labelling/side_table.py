"""A side table: the fields of users or items by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from pipeline.ingest.accounting import counters as counted
from pipeline.ingest.accounting.counters import Tally
from pipeline.ingest.accounting.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.labelling.column_readers import TextReader
from pipeline.ingest.labelling.labelled_rows import field_readers, read_fields
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import LogFile
from pipeline.ingest.sources.record_chunk import Received, batches_of, count_columns
from pipeline.ingest.sources.rows import Problems

KEY = "key"


def read_side_table(
    name: str, files: Iterable[LogFile | Received], settings: IngestSettings
) -> tuple[pa.Table, list[RejectedLine], Tally]:
    """Reads a whole side table, which has to fit into memory.

    Args:
        name: of the side table.
        files: in the order in which rows of one key take precedence; or all rows of BigQuery,
            together.
        settings: the spec's rules.

    Returns:
        the rows: a column `key`, in which no two are equal, and one a field, named as in
        `labelled_rows`; the lines that cannot be used; the counts of both. Of several rows with one
        key, the first counts.
    """
    source = settings.logs.tables[name]
    missing = frozenset(settings.logs.missing_values)
    read_key = TextReader(source.key, missing)
    readers = field_readers(settings.fields_of(name), missing)
    batches: list[pa.Table] = []
    rejected: list[RejectedLine] = []
    seen: set[bytes] = set()
    counts: Tally = Counter()
    for file in files:
        for batch in batches_of(file, source, settings.logs.max_line_bytes):
            count_columns(counts, batch, settings, name)
            problems: Problems = {}
            keys = read_key(batch.rows.column(source.key), problems)
            for position in np.flatnonzero(keys.is_null()).tolist():
                problems.setdefault(
                    position, UnusableLineError(Reason.MISSING_KEY, f"{source.key}: missing")
                )
            fields = read_fields(readers, batch.rows, problems)
            unusable = [*batch.unusable]
            unusable += [
                (batch.numbers[position], batch.raws[position], problems[position])
                for position in sorted(problems)
            ]
            for line, raw, problem in unusable:
                counts[counted.TABLE_REJECTED, name, problem.reason] += 1
                rejected.append(RejectedLine(file.name, line, problem.reason, problem.detail, raw))
            first = np.zeros(len(keys), bool)
            for position, key in enumerate(keys.to_pylist()):
                if position not in problems and key not in seen:
                    seen.add(key)
                    first[position] = True
            lines, rows = len(keys) + len(batch.unusable), int(first.sum())
            counts[counted.TABLE_LINES, name] += lines
            counts[counted.TABLE_ROWS, name] += rows
            counts[counted.TABLE_REPEATED, name] += lines - len(unusable) - rows
            batches.append(pa.table({KEY: keys, **fields}).filter(pa.array(first)))
    return pa.concat_tables(batches).combine_chunks(), rejected, counts

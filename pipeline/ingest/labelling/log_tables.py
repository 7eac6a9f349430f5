"""Files of logs as Arrow tables: labelled rows of exposures, and side tables by key.

Records of BigQuery and Kafka are read alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts, count_step
from pipeline.ingest.accounting.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.formats.record_batch import Problems, RecordBatch
from pipeline.ingest.labelling.labelled_rows import (
    FIELD,
    RowLabeller,
    field_readers,
    line_breaks,
    read_fields,
    usable_rows,
)
from pipeline.ingest.labelling.line_filter import LineFilter
from pipeline.ingest.labelling.value_readers import TextReader
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.record_source import RecordSource

KEY, DISPLAY = "key", "display"


class LabelledBatch(NamedTuple):
    """Some lines of a log: usable rows (see `labelled_rows`), rejected lines, and their counts."""

    rows: pa.Table
    rejected: list[RejectedLine]
    counts: Counts


def label_file(
    file: RecordSource, number: int, settings: IngestSettings, labeller: RowLabeller
) -> Iterator[LabelledBatch]:
    """Yield each line of the exposure log once, as a row or as a rejected line.

    Args:
        file: a file of the log, or records received from a connector.
        number: its number among the files of the log (see `source_names`).
        settings: the spec's rules.
        labeller: built from the same settings; remembers values from file to file.
    """
    kept_by = LineFilter(settings.logs.shown, settings.logs.missing_values)
    for read in file.batches(settings.logs.shown, settings.logs.max_line_bytes):
        batch, filtered = kept_by(read)
        unparsed = unusable_lines(batch, file.name)
        parsed = len(batch.numbers)
        rows, unlabelled = labeller(batch.rows, file.name, number, batch.numbers, batch.raws)
        counts: Counts = Counter()
        received = parsed + len(unparsed) + filtered
        count_step(counts, counters.PARSE, received, parsed, unparsed, filtered=filtered)
        count_columns(counts, read, settings, None)
        count_step(counts, counters.LABEL, parsed, rows.num_rows, unlabelled)
        yield LabelledBatch(rows, unparsed + unlabelled, counts + count_days(rows))


def read_side_table(
    name: str, files: Iterable[RecordSource], settings: IngestSettings
) -> tuple[pa.Table, list[RejectedLine], Counts]:
    """Read a whole side table, which has to fit into memory.

    Args:
        name: the name of the side table.
        files: its files, or one chunk of all rows of BigQuery. Of several rows with one key, the
            first in this order counts.
        settings: the spec's rules.

    Returns:
        the rows: a column `key` of distinct values, a column a field, named as in `labelled_rows`,
        and `display` where the table has texts for people; the lines that cannot be used; the
        counts of both.
    """
    source = settings.logs.tables[name]
    missing = frozenset(settings.logs.missing_values)
    read_key = TextReader(source.key, missing)
    readers = field_readers(settings.fields_of(name), missing)
    batches: list[pa.Table] = []
    rejected: list[RejectedLine] = []
    seen: set[bytes] = set()
    counts: Counts = Counter()
    kept_by = LineFilter(source, settings.logs.missing_values)
    for file in files:
        for read in file.batches(source, settings.logs.max_line_bytes):
            batch, filtered = kept_by(read)
            counts[counters.TABLE_FILTERED, name] += filtered
            count_columns(counts, read, settings, name)
            problems: Problems = {}
            keys = read_key(batch.rows.column(source.key), problems)
            for position in np.flatnonzero(keys.is_null()).tolist():
                problems.setdefault(
                    position, UnusableLineError(Reason.MISSING_KEY, f"{source.key}: missing")
                )
            fields = read_fields(readers, batch.rows, problems)
            if source.display is not None:
                # A text that cannot be read is no reason to lose the row.
                read_display = TextReader(source.display, missing)
                fields[DISPLAY] = read_display(batch.rows.column(source.display), {})
            usable, unusable = usable_rows(
                pa.table({KEY: keys, **fields}), problems, file.name, batch.numbers, batch.raws
            )
            unparsed = unusable_lines(batch, file.name)
            for line in unparsed + unusable:
                counts[counters.TABLE_REJECTED, name, line.reason] += 1
            rejected += unparsed + unusable
            first = np.zeros(usable.num_rows, bool)
            for position, key in enumerate(usable.column(KEY).to_pylist()):
                if key not in seen:
                    seen.add(key)
                    first[position] = True
            rows = int(first.sum())
            counts[counters.TABLE_LINES, name] += len(keys) + len(unparsed) + filtered
            counts[counters.TABLE_ROWS, name] += rows
            counts[counters.TABLE_REPEATED, name] += usable.num_rows - rows
            batches.append(usable.filter(pa.array(first)))
    table = pa.concat_tables(batches).combine_chunks()
    for field, described in settings.fields_of(name).items():
        if described.kind not in ("numeric", "vector"):
            counts[counters.LINE_BREAKS, field] += line_breaks(table.column(FIELD + field))
    return table, rejected, counts


def unusable_lines(batch: RecordBatch, source: str) -> list[RejectedLine]:
    """Return the lines of a batch that are not records as rejected lines of their source."""
    return [
        RejectedLine(source, line, problem.reason, problem.detail, raw)
        for line, raw, problem in batch.unusable
    ]


def count_columns(
    counts: Counts, batch: RecordBatch, settings: IngestSettings, source: str | None
) -> None:
    """Count the batches in which each column of the spec occurs, for tables and topics.

    `check_logs` cannot look into these before they are read.
    """
    described = settings.sources[source]
    if described.connector is not None and described.columns is None:
        records = batch.rows.records()
        for column in settings.columns_of(source):
            if any(column in record for record in records):
                counts[counters.COLUMN, settings.place_of(source), column] += 1


def count_days(rows: pa.Table) -> Counts:
    """Count rows by the day of the event; nothing without event times."""
    if "day" not in rows.column_names:
        return Counter()
    days, counts = np.unique(rows.column("day").to_numpy(), return_counts=True)
    return Counter(
        {(counters.DAY, str(day)): int(count) for day, count in zip(days, counts, strict=True)}
    )

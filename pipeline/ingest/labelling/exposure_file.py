"""One file of the exposure log: its rows, labelled, and its lines that cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.ingest.accounting import counters as counted
from pipeline.ingest.accounting.counters import Tally, count_step
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.labelling.labelled_rows import RowLabeller
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import LogFile
from pipeline.ingest.sources.record_chunk import Received, batches_of, count_columns


class LabelledBatch(NamedTuple):
    """What became of some lines: usable rows (see `labelled_rows`), rejected lines, and the counts of both."""

    rows: pa.Table
    rejected: list[RejectedLine]
    counts: Tally


def label_file(
    file: LogFile | Received, number: int, settings: IngestSettings, labeller: RowLabeller
) -> Iterator[LabelledBatch]:
    """Yields each line of the file once, as a row or as a rejected line.

    Args:
        file: the file, or records received from a connector.
        number: its number among those of the log (see `source_names`).
        settings: the spec's rules.
        labeller: built from the same settings; remembers values from file to file.
    """
    for batch in batches_of(file, settings.logs.shown, settings.logs.max_line_bytes):
        unparsed = [
            RejectedLine(file.name, line, problem.reason, problem.detail, raw)
            for line, raw, problem in batch.unusable
        ]
        parsed = len(batch.numbers)
        rows, unlabelled = labeller(batch.rows, file.name, number, batch.numbers, batch.raws)
        counts: Tally = Counter()
        count_step(counts, counted.PARSE, parsed + len(unparsed), parsed, unparsed)
        count_columns(counts, batch, settings, None)
        count_step(counts, counted.LABEL, parsed, rows.num_rows, unlabelled)
        yield LabelledBatch(rows, unparsed + unlabelled, counts + counts_of_days(rows))


def counts_of_days(rows: pa.Table) -> Tally:
    """Rows by the day of the event; empty without event times."""
    if "day" not in rows.column_names:
        return Counter()
    days, counts = np.unique(rows.column("day").to_numpy(), return_counts=True)
    return Counter(
        {(counted.DAY, str(day)): int(count) for day, count in zip(days, counts, strict=True)}
    )

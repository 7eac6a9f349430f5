"""One file of the exposure log: its rows, labelled, and its lines that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from pipeline.ingest.files import LogFile
from pipeline.ingest.labelled_rows import RowLabeller
from pipeline.ingest.records import read_batches
from pipeline.ingest.rejection import RejectedLine
from pipeline.ingest.settings import IngestSettings


def label_file(
    file: LogFile, number: int, settings: IngestSettings, labeller: RowLabeller
) -> Iterator[tuple[pa.Table, list[RejectedLine]]]:
    """Yields each line of the file once: as a row of a table (see `labelled_rows`) or as a rejected line.

    Args:
        file: the file.
        number: its number among the files of the log.
        settings: the spec's rules.
        labeller: built from the same settings; remembers values from file to file.
    """
    for batch in read_batches(file, settings.logs.exposures, settings.logs.max_line_bytes):
        table, rejected = labeller(batch.rows, file.name, number, batch.numbers, batch.raws)
        unusable = [RejectedLine(file.name, line, problem.reason, problem.detail, raw) for line, raw, problem in batch.unusable]
        yield table, unusable + rejected

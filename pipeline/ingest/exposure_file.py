"""One file of the exposure log: its records, labelled, and its lines that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.ingest.files import LogFile
from pipeline.ingest.labelled_record import LabelledRecord, RecordLabeller
from pipeline.ingest.records import read_records
from pipeline.ingest.rejection import Reason, RejectedLine, UnusableLineError
from pipeline.ingest.settings import IngestSettings


def label_file(
    file: LogFile, number: int, settings: IngestSettings, labeller: RecordLabeller
) -> Iterator[LabelledRecord | RejectedLine]:
    """Yields each line of the file once, in order: as a labelled record or as a rejected line.

    Args:
        file: the file.
        number: its number among the files of the log.
        settings: the spec's rules.
        labeller: built from the same settings; remembers values from file to file.
    """
    for line, raw, record in read_records(file, settings.logs.exposures, settings.logs.max_line_bytes):
        if isinstance(record, UnusableLineError):
            unusable = record
        else:
            try:
                yield labeller(record, number, line, raw)
                continue
            except UnusableLineError as error:
                unusable = error
            except RecursionError:
                unusable = UnusableLineError(Reason.MALFORMED, "nested too deeply")
        yield RejectedLine(file.name, line, unusable.reason, unusable.detail, raw)

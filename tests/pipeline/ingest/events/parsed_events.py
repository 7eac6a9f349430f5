"""Lines of an event log, parsed as ingestion does, without files."""

from __future__ import annotations

import datetime

import pyarrow as pa

from pipeline.ingest.accounting.rejection import RejectedLine, UnusableLineError
from pipeline.ingest.events.event_rows import ActionParser, ImpressionParser
from pipeline.ingest.formats.record_batch import RecordBatch, RecordRows
from pipeline.ingest.formats.text_formats import parse_json


def parsed_events(
    parse: ImpressionParser | ActionParser,
    lines: list[bytes],
    file: int = 0,
    day: datetime.date | None = None,
) -> tuple[pa.Table, list[RejectedLine]]:
    """Events of a file, and what cannot be parsed or read."""
    records, unusable = [], []
    for number, line in enumerate(lines, start=1):
        try:
            records.append((number, line, parse_json(line)))
        except UnusableLineError as problem:
            unusable.append(RejectedLine("log", number, problem.reason, problem.detail, line))
    rows = RecordRows([record for _, _, record in records])
    batch = RecordBatch(
        [number for number, _, _ in records], [line for _, line, _ in records], rows, []
    )
    table, rejected = parse(batch, "log", file, day)
    return table, unusable + rejected

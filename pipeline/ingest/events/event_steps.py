"""The steps of event logs on tables, without Beam: parsing, dropping duplicates, joining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from feature_spec.logs.logs import ACTIONS
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts, count_step, unreadable_files
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.events.event_join import deduplicated, joined, label_joined
from pipeline.ingest.events.event_rows import ActionParser, ImpressionParser
from pipeline.ingest.events.label_changes import with_label_changes
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.labelling.line_filter import LineFilter
from pipeline.ingest.labelling.log_tables import count_columns, count_days, unusable_lines
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.record_source import RecordSource


class StepResult(NamedTuple):
    """What a step makes of some lines or events.

    Attributes:
        rows: events, or labelled rows; None if there are none.
        rejected: the other lines.
        counts: the counts of the step.
    """

    rows: pa.Table | None
    rejected: list[RejectedLine]
    counts: Counts


def parser_of(settings: IngestSettings, log: str | None) -> ImpressionParser | ActionParser:
    """Return the parser of the impressions (None) or the actions."""
    return ImpressionParser(settings) if log is None else ActionParser(settings)


def parsed_events(
    file: RecordSource,
    number: int,
    settings: IngestSettings,
    log: str | None,
    *,
    parse: ImpressionParser | ActionParser,
    kept_by: LineFilter,
) -> Iterator[StepResult]:
    """Yield the events of a file of impressions (`log` None) or of actions, batch by batch.

    Args:
        file: a file of the log, or records received from a connector.
        number: its number among the files of the log (see `source_names`).
        settings: the spec's rules.
        log: the name of the log, as in `IngestSettings.sources`.
        parse: its `parser_of`, which remembers values from file to file.
        kept_by: the lines of the source that count (its `where`).
    """
    source = settings.sources[log]
    step = counters.PARSE if log is None else counters.PARSE_ACTIONS
    for read in file.batches(source, settings.logs.max_line_bytes):
        counts: Counts = Counter()
        batch, filtered = kept_by(read)
        events, rejected = parse(batch, file.name, number, file.day)
        rejected += unusable_lines(batch, file.name)
        received, of_other_days = len(read.numbers) + len(read.unusable), 0
        if file.day != settings.day:
            counts[counters.LINES_OF_OTHER_DAYS, step] += received
            counts.update(unreadable_files(rejected))
            # The ingestion of that day reports the reasons.
            of_other_days, filtered, rejected = len(rejected) + filtered, 0, []
        count_step(
            counts,
            step,
            received,
            events.num_rows,
            rejected,
            filtered=filtered,
            of_other_days=of_other_days,
        )
        counts.update(
            count_days(events if file.day is None else events.filter(events.column("in_partition")))
        )
        count_columns(counts, read, settings, log)
        yield StepResult(events, rejected, counts)


def distinct_events(
    received: pa.Table, settings: IngestSettings, log: str | None, names: Sequence[str]
) -> tuple[pa.Table, list[RejectedLine], Counts]:
    """Drop the lines that repeat an event, given all lines of some events.

    Args:
        received: the events (see `event_rows`).
        settings: the spec's rules.
        log: the name of the log, as in `IngestSettings.sources`.
        names: the names of its files.

    Returns:
        the distinct events; the rejected lines; the counts of the step.
    """
    drops = settings.deduplicates or getattr(settings.sources[log], "event_id", None)
    events, rejected, of_other_days = deduplicated(received, names) if drops else (received, [], 0)
    counts: Counts = Counter()
    step = counters.DEDUPLICATE if log is None else counters.DEDUPLICATE_ACTIONS
    count_step(
        counts, step, received.num_rows, events.num_rows, rejected, of_other_days=of_other_days
    )
    return events, rejected, counts


def join_events(
    impressions: pa.Table | None,
    actions: pa.Table | None,
    settings: IngestSettings,
    names: Mapping[str | None, Sequence[str]],
    read_values: ValuesReader,
) -> StepResult:
    """Join all distinct events with some join keys, and label the impressions.

    Args:
        impressions: the impressions (see `event_rows`); None if there are none.
        actions: the actions with these keys; None if there are none.
        settings: the spec's rules.
        names: the names of the files of each log.
        read_values: reads the fields and labels that need columns of actions.

    Returns:
        labelled rows; rejected actions and impressions; their counts.
    """
    rules = settings.logs.actions
    assert rules is not None  # noqa: S101 (these are event logs)
    together = joined(impressions, actions, rules, names[ACTIONS])
    rejected, counts = together.rejected, Counts()
    received = actions.num_rows if actions is not None else 0
    of_other_days = together.of_other_days
    passed = received - len(rejected) - of_other_days
    count_step(
        counts, counters.JOIN_ACTIONS, received, passed, rejected, of_other_days=of_other_days
    )
    counts.update({(counters.ACTION, kind): count for kind, count in together.kinds.items()})
    kept = together.impressions
    if impressions is None or kept is None:
        return StepResult(None, rejected, counts)
    if settings.histories is not None:
        kept = with_label_changes(kept, together.actions, together.owners, rules, read_values)
    rows, unusable = label_joined(kept, together.columns, read_values, names[None])
    count_step(
        counts,
        counters.LABEL,
        impressions.num_rows,
        rows.num_rows,
        unusable,
        of_other_days=impressions.num_rows - kept.num_rows,
    )
    return StepResult(rows if rows.num_rows else None, rejected + unusable, counts)

"""The look at logs through a spec: an ingestion of some lines, without Beam and without examples.

Lines are read, judged, labelled, split and joined by the code that ingests them, and the summary is
that of an ingestion.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.logs.logs import ACTIONS
from feature_spec.names import TRAIN
from feature_spec.spec import FeatureSpec
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts, count_step
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.accounting.summary import IngestSummary, event_days, warm_up_before
from pipeline.ingest.events.event_steps import (
    distinct_events,
    join_events,
    parsed_events,
    parser_of,
)
from pipeline.ingest.examples.sampling import sampled
from pipeline.ingest.examples.split_assignment import SplitAssignment
from pipeline.ingest.examples.split_counts import counts_of_split
from pipeline.ingest.labelling.labelled_rows import KEY_OF, WEIGHT, RowLabeller, ValuesReader
from pipeline.ingest.labelling.line_filter import LineFilter
from pipeline.ingest.labelling.log_tables import KEY, label_file, read_side_table
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.sources.files import InputFiles
from pipeline.ingest.sources.record_source import source_names
from pipeline.log_look.sampled_files import SampledFile, chosen_files
from pipeline.log_look.vocabularies import VocabularySize, vocabulary_sizes


@dataclasses.dataclass(frozen=True)
class SourceLook:
    """What was read of a source.

    Attributes:
        place: the place of the source in the spec.
        text: its files.
        lines: the number of lines read.
        about_lines: the number of lines that it has; an estimate unless all was read.
        is_whole: whether all lines were read.
    """

    place: str
    text: str
    lines: int
    about_lines: int
    is_whole: bool


@dataclasses.dataclass(frozen=True)
class TableMatch:
    """How the keys of the rows match those of a side table.

    Attributes:
        rows: rows of the log with a key.
        matched: those whose key is in the table, as far as it was read.
        key: the column of the log.
        of_log, of_table: some keys of the log that the table lacks, and of the table.
    """

    rows: int
    matched: int
    key: str
    of_log: list[str]
    of_table: list[str]


@dataclasses.dataclass(frozen=True)
class LogLook:
    """What some lines of the logs, or all, say about a spec.

    Attributes:
        summary: the summary of an ingestion of these lines.
        sources: what was read, by source as in `IngestSettings.sources`; without tables and topics
            that a connector reads.
        rejected: the first rejected line of each source and reason.
        matches: how keys match, by side table.
        vocabularies: the vocabularies by field; empty where labels are not known.
        has_labels: whether rows were labelled. Event logs are joined only if all lines were read.
        mean_weight: the mean weight of the examples; None where all count alike, or without rows.
    """

    summary: IngestSummary
    sources: dict[str | None, SourceLook]
    rejected: list[RejectedLine]
    matches: dict[str, TableMatch]
    vocabularies: dict[str, VocabularySize]
    has_labels: bool
    mean_weight: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all lines of all logs were read, so that an ingestion will count the same."""
        return all(source.is_whole for source in self.sources.values())

    @property
    def factor(self) -> float:
        """The number of lines of the log for each line read."""
        shown = self.sources[None]
        return shown.about_lines / shown.lines if shown.lines else 1.0


def look_at_logs(
    spec: FeatureSpec, settings: IngestSettings, files: InputFiles, lines: int
) -> LogLook:
    """Look at some lines of logs in files.

    Args:
        spec: the feature spec.
        settings: the part of it that ingestion reads.
        files: the files of all sources, which have the columns of the spec (see `check_logs`).
        lines: the number of lines to read of each source, about.
    """
    look = _Look(settings, files, lines)
    rows = look.labelled()
    tables = look.side_tables()
    matches: dict[str, TableMatch] = {}
    splits: Mapping[str, pa.Table] = {}
    if rows is not None:
        matches = {name: look.matched(rows, name, table) for name, table in tables.items()}
        splits = look.split(rows)
        look.count_unjoined(splits, tables)
    sources = look.sources()
    shown = sources[None]
    vocabularies = {}
    if TRAIN in splits and tables.keys() >= settings.logs.tables.keys():
        share = min(shown.lines / shown.about_lines, 1.0) if not shown.is_whole else 1.0
        vocabularies = vocabulary_sizes(spec, splits[TRAIN], tables, share)
    return LogLook(
        summary=IngestSummary.of(look.counts, settings),
        sources=sources,
        rejected=list(look.rejected.values()),
        matches=matches,
        vocabularies=vocabularies,
        has_labels=rows is not None,
        mean_weight=_mean_weight(splits),
    )


def _mean_weight(splits: Mapping[str, pa.Table]) -> float | None:
    weights = [rows.column(WEIGHT) for rows in splits.values() if WEIGHT in rows.column_names]
    chunks = [chunk for column in weights for chunk in column.chunks]
    return pc.mean(pa.chunked_array(chunks, pa.float64())).as_py()


class _Look:
    """One look, and what it has counted so far.

    Args:
        settings, files, lines: as of `look_at_logs`.
    """

    def __init__(self, settings: IngestSettings, files: InputFiles, lines: int) -> None:
        self._settings = settings
        self._files = files
        self.counts: Counts = Counter()
        self.rejected: dict[tuple[str | None, str], RejectedLine] = {}
        self._read = {
            source: chosen_files(
                files.sources[source], lines, files.evaluation if source is None else frozenset()
            )
            for source, described in settings.sources.items()
            if described.connector is None
        }

    def sources(self) -> dict[str | None, SourceLook]:
        """Return what was read of each source."""
        looks = {}
        for source, chosen in self._read.items():
            files = self._files.sources[source]
            read, about = sum(one.lines for one in chosen), sum(one.about_lines for one in chosen)
            size = sum(one.file.size_bytes for one in chosen)
            is_whole = len(chosen) == len(files) and all(one.read_share >= 1.0 for one in chosen)
            if not is_whole and size:
                about *= sum(file.size_bytes for file in files) / size
            looks[source] = SourceLook(
                place=self._settings.place_of(source),
                text=self._settings.sources[source].text,
                lines=read,
                about_lines=read if is_whole else max(round(about), read),
                is_whole=is_whole,
            )
        return looks

    def labelled(self) -> pa.Table | None:
        """Return labelled rows; None where there are none, or where event logs are sampled."""
        settings = self._settings
        if None not in self._read:
            return None
        if settings.logs.actions is not None:
            return self._joined()
        labeller, tables = RowLabeller(settings), []
        for file in self._read[None]:
            for batch in label_file(file, self._number(None, file), settings, labeller):
                self._add(None, batch.counts, batch.rejected)
                tables.append(batch.rows)
        return pa.concat_tables(tables) if tables else None

    def _joined(self) -> pa.Table | None:
        settings = self._settings
        if settings.day is not None:
            return None  # events of the days around belong to it
        logs: dict[str | None, pa.Table | None] = {}
        for log in (None, ACTIONS):
            if log not in self._read:
                return None
            parse, tables = parser_of(settings, log), []
            kept_by = LineFilter(settings.sources[log], settings.logs.missing_values)
            for file in self._read[log]:
                number = self._number(log, file)
                for step in parsed_events(
                    file, number, settings, log, parse=parse, kept_by=kept_by
                ):
                    self._add(log, step.counts, step.rejected)
                    tables.append(step.rows)
            logs[log] = pa.concat_tables(tables) if tables else None
        if not all(one.is_whole for log, one in self.sources().items() if log in logs):
            return None  # actions of some impressions alone say nothing
        names = {log: source_names(settings, self._files, log) for log in logs}
        distinct: dict[str | None, pa.Table | None] = dict.fromkeys(logs)
        for log, events in logs.items():
            if events is not None:
                distinct[log], rejected, counts = distinct_events(events, settings, log, names[log])
                self._add(log, counts, rejected)
        step = join_events(
            distinct[None], distinct[ACTIONS], settings, names, ValuesReader(settings, folded=True)
        )
        self._add(ACTIONS, step.counts, step.rejected)
        return step.rows

    def side_tables(self) -> dict[str, pa.Table]:
        """Return the rows of each side table in files, as far as they are read."""
        tables = {}
        for name in self._settings.logs.tables:
            if name in self._read:
                rows, rejected, counts = read_side_table(name, self._read[name], self._settings)
                self._add(name, counts, rejected)
                tables[name] = rows
        return tables

    def matched(self, rows: pa.Table, name: str, table: pa.Table) -> TableMatch:
        """Return how many rows find their key in a side table."""
        keys, known = rows.column(KEY_OF + name), table.column(KEY).combine_chunks()
        found = pc.is_in(keys, value_set=known)
        present = keys.drop_null()
        lacking = pc.unique(present.filter(pc.invert(pc.is_in(present, value_set=known))))
        described = self._settings.logs.tables[name]
        return TableMatch(
            rows=len(present),
            matched=pc.sum(found).as_py() or 0,
            key=described.exposure_key or described.key,
            of_log=_some(lacking),
            of_table=_some(known),
        )

    def count_unjoined(
        self, splits: Mapping[str, pa.Table], tables: Mapping[str, pa.Table]
    ) -> None:
        """Count the examples without a row in each side table."""
        for name, table in tables.items():
            known = table.column(KEY).combine_chunks()
            for rows in splits.values():
                found = pc.index_in(rows.column(KEY_OF + name), value_set=known)
                self.counts[counters.UNJOINED, name] += found.null_count

    def split(self, rows: pa.Table) -> Mapping[str, pa.Table]:
        """Return the rows of each split, after the sampling of negatives."""
        settings = self._settings
        assign = SplitAssignment(
            settings,
            source_names(settings, self._files, None),
            self._files.evaluation,
            event_days(self.counts, settings),
            warm_up_before(self.counts, settings),
        )
        assigned = assign(rows)
        splits, written, sampled_out = {}, 0, 0
        for split, of_split in assigned.splits.items():
            kept = sampled(of_split, split, settings)
            sampled_out += of_split.num_rows - kept.num_rows
            written += kept.num_rows
            self.counts[counters.EXAMPLES, split] += kept.num_rows
            self.counts.update(counts_of_split(split, kept, settings))
            splits[split] = kept
        step: Counts = Counter()
        count_step(
            step,
            counters.WRITE,
            rows.num_rows,
            written,
            assigned.rejected,
            sampled_out=sampled_out,
            warm_up=assigned.warm_up,
        )
        self._add(None, step, assigned.rejected)
        return splits

    def _number(self, source: str | None, file: SampledFile) -> int:
        return self._files.with_neighbours(source).index(file.file)

    def _add(self, source: str | None, counts: Counts, rejected: Sequence[RejectedLine]) -> None:
        self.counts.update(counts)
        for line in rejected:
            self.rejected.setdefault((source, str(line.reason)), line)


def _some(keys: pa.Array | pa.ChunkedArray) -> list[str]:
    return [key.decode(errors="backslashreplace") for key in keys[:3].to_pylist()]

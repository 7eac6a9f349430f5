"""Event logs as a Beam pipeline: events made distinct, joined and labelled.

impressions ─► ParseEvents ─► by identity ─► DropDuplicates ─► by join key ─┐
                                                                            ├─► JoinEvents ─► (shard, rows)
actions     ─► ParseEvents ─► by identity ─► DropDuplicates ─► by join key ─┘
"""  # noqa: E501

from __future__ import annotations

import gc
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa

from feature_spec.logs.logs import ACTIONS
from pipeline.ingest.accounting.counters import Counts, add_counts
from pipeline.ingest.events.event_steps import (
    distinct_events,
    join_events,
    parsed_events,
    parser_of,
)
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.labelling.line_filter import LineFilter
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_tables import ShardBuffer, Spill, from_ipc, ipc_by_shard, to_ipc
from pipeline.ingest.shuffle.step_outputs import (
    COUNTS,
    REJECTED,
    ROWS,
    tagged_counts,
    tagged_rejected,
    tagged_rows,
)
from pipeline.ingest.sources.files import InputFiles
from pipeline.ingest.sources.log_reading import ReadLog
from pipeline.ingest.sources.record_source import RecordSource, source_names


class JoinEventLogs(beam.PTransform):
    """Reads event logs, joins them and labels the joined impressions.

    Args:
        settings: the spec's rules.
        files: the files of the logs.
        shards: the number of shards.
        folder: the folder for spilled tables.
    """

    def __init__(
        self, settings: IngestSettings, files: InputFiles, shards: int, folder: str
    ) -> None:
        super().__init__()
        self._folder = folder
        self._settings = settings
        self._files = files
        self._shards = shards

    def expand(
        self, pipeline: beam.Pipeline
    ) -> tuple[beam.PCollection, beam.PCollection, list[tuple[beam.PCollection, ...]]]:
        """Wire the steps.

        Returns:
            (shard, tables of its rows), each shard once; the counts of the impressions' files,
            which tell the days; and the rejected lines and the counts of every step.
        """
        shown, shown_outputs = self._distinct(pipeline, "Impressions", None)
        done, done_outputs = self._distinct(pipeline, "Actions", ACTIONS)
        together = (
            {None: shown, ACTIONS: done}
            | "ByJoinKey" >> beam.CoGroupByKey()
            | "JoinEvents"
            >> beam.ParDo(_JoinEvents(self._settings, self._files)).with_outputs(
                ROWS, REJECTED, COUNTS
            )
        )
        counts_of_files = shown_outputs[0][1] | "CountFiles" >> beam.CombineGlobally(add_counts)
        return (
            together[ROWS],
            counts_of_files,
            [*shown_outputs, *done_outputs, (together[REJECTED], together[COUNTS])],
        )

    def _distinct(
        self, pipeline: beam.Pipeline, title: str, log: str | None
    ) -> tuple[beam.PCollection, list[tuple[beam.PCollection, ...]]]:
        """Read the distinct events of a log.

        Returns:
            (shard of join keys, table); the rejected lines and the counts of both steps.
        """
        names = source_names(self._settings, self._files, log)
        parsed = (
            pipeline
            | f"Read{title}" >> ReadLog(self._settings, self._files, log)
            | f"Parse{title}"
            >> beam.ParDo(_ParseEvents(self._settings, log, self._shards)).with_outputs(
                ROWS, REJECTED, COUNTS
            )
        )
        distinct = (
            parsed[ROWS]
            | f"Spill{title}" >> Spill(self._folder)
            | f"{title}ByIdentity" >> beam.GroupByKey()
            | f"Distinct{title}"
            >> beam.ParDo(_DropDuplicates(self._settings, log, names, self._shards)).with_outputs(
                ROWS, REJECTED, COUNTS
            )
        )
        stored = distinct[ROWS] | f"SpillDistinct{title}" >> Spill(self._folder)
        return stored, [(parsed[REJECTED], parsed[COUNTS]), (distinct[REJECTED], distinct[COUNTS])]


class _ParseEvents(beam.DoFn):
    """Turns (number, file or chunk) into (shard of identities, table of events)."""

    def __init__(self, settings: IngestSettings, log: str | None, shards: int) -> None:
        self._settings = settings
        self._log = log
        self._shards = shards

    def setup(self) -> None:
        self._parse = parser_of(self._settings, self._log)
        self._kept_by = LineFilter(
            self._settings.sources[self._log], self._settings.logs.missing_values
        )
        gc.freeze()  # so that Python's collector does not search all of TensorFlow and TFX

    def process(self, element: tuple[int, RecordSource]) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        counts: Counts = Counter()
        buffer = ShardBuffer(self._shard_of, self._shards)
        for step in parsed_events(
            file, number, self._settings, self._log, parse=self._parse, kept_by=self._kept_by
        ):
            counts.update(step.counts)
            yield from tagged_rejected(step.rejected)
            yield from tagged_rows(buffer.add(step.rows))
        yield from tagged_rows(buffer.flush())
        yield tagged_counts(counts)

    def _shard_of(self, events: pa.Table) -> np.ndarray:
        return events.column("event_low").to_numpy() % np.uint64(self._shards)


class _DropDuplicates(beam.DoFn):
    """Turns (shard of identities, tables of events) into (shard of join keys, table of events)."""

    def __init__(
        self, settings: IngestSettings, log: str | None, names: Sequence[str], shards: int
    ) -> None:
        self._settings = settings
        self._log = log
        self._names = names
        self._shards = shards

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[beam.pvalue.TaggedOutput]:
        _, tables = element
        events, rejected, counts = distinct_events(
            from_ipc(tables), self._settings, self._log, self._names
        )
        yield from tagged_rejected(rejected)
        shard_of = (
            np.array([zlib.crc32(key) for key in events.column("join_key").to_pylist()], np.int64)
            % self._shards
        )
        yield from tagged_rows(ipc_by_shard(events, shard_of, self._shards))
        yield tagged_counts(counts)


class _JoinEvents(beam.DoFn):
    """Turns (shard, tables of impressions and actions) into (shard, [table of labelled rows])."""

    def __init__(self, settings: IngestSettings, files: InputFiles) -> None:
        self._settings = settings
        self._names = {log: source_names(settings, files, log) for log in (None, ACTIONS)}

    def setup(self) -> None:
        self._read_values = ValuesReader(self._settings, folded=True)

    def process(
        self, element: tuple[int, Mapping[str | None, Iterable[bytes]]]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        shard, logs = element
        tables = {log: list(logs[log]) for log in (None, ACTIONS)}
        impressions, actions = (
            from_ipc(tables[log]) if tables[log] else None for log in (None, ACTIONS)
        )
        step = join_events(impressions, actions, self._settings, self._names, self._read_values)
        if step.rows is not None:
            yield beam.pvalue.TaggedOutput(ROWS, (shard, [to_ipc(step.rows)]))
        yield from tagged_rejected(step.rejected)
        yield tagged_counts(step.counts)

"""Event logs as a Beam pipeline: duplicates are dropped, impressions joined with their actions, and the result labelled.

impressions ─► ParseEvents ─► by identity ─► DropDuplicates ─► by join key ─┐
                                                                            ├─► JoinEvents ─► (shard, rows)
actions     ─► ParseEvents ─► by identity ─► DropDuplicates ─► by join key ─┘
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa

from feature_spec.logs.logs import ACTIONS
from pipeline.ingest.accounting import counters as counted
from pipeline.ingest.accounting.counters import Tally, add_tallies, count_step, unreadable_files
from pipeline.ingest.accounting.rejected_files import rejected_batch
from pipeline.ingest.accounting.rejection import RejectedLine
from pipeline.ingest.events.event_deduplication import deduplicated
from pipeline.ingest.events.event_join import joined, label_joined
from pipeline.ingest.events.event_rows import ActionParser, ImpressionParser
from pipeline.ingest.examples.shard_writing import REJECTED, ROWS, TALLY, count_in_beam, tagged_rows
from pipeline.ingest.garbage_collection import spare_imported_objects
from pipeline.ingest.labelling.exposure_file import counts_of_days
from pipeline.ingest.labelling.labelled_rows import ValuesReader
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_ipc import Packer, packed, packed_by_shard, unpacked
from pipeline.ingest.shuffle.spill import StorePacks
from pipeline.ingest.sources.files import InputFiles, LogFile
from pipeline.ingest.sources.log_reading import ReadLog
from pipeline.ingest.sources.record_chunk import Received, batches_of, count_columns
from pipeline.ingest.sources.source_names import source_names


class JoinEventLogs(beam.PTransform):
    """Reads event logs and labels what they come to.

    Args:
        settings: the spec's rules.
        files: the files of the logs.
        shards: how many shards to make.
        folder: for what waits in files meanwhile.
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
        """Wires the steps.

        Returns:
            (shard, packs of its rows), each shard once; the counts of the impressions' files, which
            tell the days; and the rejected lines and the counts of every step.
        """
        shown, shown_outputs = self._distinct(pipeline, "Impressions", None)
        done, done_outputs = self._distinct(pipeline, "Actions", ACTIONS)
        together = (
            {None: shown, ACTIONS: done}
            | "ByJoinKey" >> beam.CoGroupByKey()
            | "JoinEvents"
            >> beam.ParDo(_JoinEvents(self._settings, self._files)).with_outputs(
                ROWS, REJECTED, TALLY
            )
        )
        tally_of_files = shown_outputs[0][1] | "TallyFiles" >> beam.CombineGlobally(add_tallies)
        return (
            together[ROWS],
            tally_of_files,
            [*shown_outputs, *done_outputs, (together[REJECTED], together[TALLY])],
        )

    def _distinct(
        self, pipeline: beam.Pipeline, title: str, log: str | None
    ) -> tuple[beam.PCollection, list[tuple[beam.PCollection, ...]]]:
        """The events of a log, each once, by shard of their join keys; rejected lines and counts of both steps."""
        names = source_names(self._settings, self._files, log)
        parsed = (
            pipeline
            | f"Read{title}" >> ReadLog(self._settings, self._files, log)
            | f"Parse{title}"
            >> beam.ParDo(_ParseEvents(self._settings, log, self._shards)).with_outputs(
                ROWS, REJECTED, TALLY
            )
        )
        distinct = (
            parsed[ROWS]
            | f"Store{title}" >> StorePacks(self._folder)
            | f"{title}ByIdentity" >> beam.GroupByKey()
            | f"Distinct{title}"
            >> beam.ParDo(_DropDuplicates(self._settings, log, names, self._shards)).with_outputs(
                ROWS, REJECTED, TALLY
            )
        )
        stored = distinct[ROWS] | f"StoreDistinct{title}" >> StorePacks(self._folder)
        return stored, [(parsed[REJECTED], parsed[TALLY]), (distinct[REJECTED], distinct[TALLY])]


class _ParseEvents(beam.DoFn):
    """From (number, file or records) to (shard of identities, packed events)."""

    def __init__(self, settings: IngestSettings, log: str | None, shards: int) -> None:
        self._settings = settings
        self._log = log
        self._shards = shards

    def setup(self) -> None:
        self._parse = (ImpressionParser if self._log is None else ActionParser)(self._settings)
        spare_imported_objects()

    def process(
        self, element: tuple[int, LogFile | Received]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        source, tally = self._settings.sources[self._log], Tally()
        step = counted.PARSE if self._log is None else counted.PARSE_ACTIONS
        day = file.day if isinstance(file, LogFile) else self._settings.day
        packer = Packer(self._shard_of, self._shards)
        for batch in batches_of(file, source, self._settings.logs.max_line_bytes):
            events, rejected = self._parse(batch, file.name, number, day)
            rejected += [
                RejectedLine(file.name, line, problem.reason, problem.detail, raw)
                for line, raw, problem in batch.unusable
            ]
            received, of_other_days = len(batch.numbers) + len(batch.unusable), 0
            if day != self._settings.day:
                tally[counted.LINES_OF_OTHER_DAYS, step] += received
                tally.update(unreadable_files(rejected))
                # whose reasons that day's own ingestion reports
                of_other_days, rejected = len(rejected), []
            count_step(
                tally, step, received, events.num_rows, rejected, of_other_days=of_other_days
            )
            tally.update(
                counts_of_days(events if day is None else events.filter(events.column("is_own")))
            )
            count_columns(tally, batch, self._settings, self._log)
            if rejected:
                yield beam.pvalue.TaggedOutput(REJECTED, rejected_batch(rejected))
            yield from tagged_rows(packer.add(events))
        yield from tagged_rows(packer.rest())
        count_in_beam(tally)
        yield beam.pvalue.TaggedOutput(TALLY, tally)

    def _shard_of(self, events: pa.Table) -> np.ndarray:
        return events.column("event_low").to_numpy() % np.uint64(self._shards)


class _DropDuplicates(beam.DoFn):
    """From (shard of identities, packed events) to (shard of join keys, packed events)."""

    def __init__(
        self, settings: IngestSettings, log: str | None, names: Sequence[str], shards: int
    ) -> None:
        source = settings.sources[log]
        self._drops = settings.logs.deduplicate or getattr(source, "event_id", None) is not None
        self._log = log
        self._names = names
        self._shards = shards

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[beam.pvalue.TaggedOutput]:
        _, packs = element
        received = unpacked(packs)
        events, rejected, of_other_days = (
            deduplicated(received, self._names) if self._drops else (received, [], 0)
        )
        tally: Tally = Counter()
        step = counted.DEDUPLICATE if self._log is None else counted.DEDUPLICATE_ACTIONS
        count_step(
            tally, step, received.num_rows, events.num_rows, rejected, of_other_days=of_other_days
        )
        if rejected:
            yield beam.pvalue.TaggedOutput(REJECTED, rejected_batch(rejected))
        shard_of = (
            np.array([zlib.crc32(key) for key in events.column("join_key").to_pylist()], np.int64)
            % self._shards
        )
        yield from tagged_rows(packed_by_shard(events, shard_of, self._shards))
        count_in_beam(tally)
        yield beam.pvalue.TaggedOutput(TALLY, tally)


class _JoinEvents(beam.DoFn):
    """From (shard, packed impressions and actions) to (shard, [packed labelled rows])."""

    def __init__(self, settings: IngestSettings, files: InputFiles) -> None:
        self._settings = settings
        self._names = {log: source_names(settings, files, log) for log in (None, ACTIONS)}

    def setup(self) -> None:
        self._read_values = ValuesReader(self._settings, folded=True)

    def process(
        self, element: tuple[int, Mapping[str | None, Iterable[bytes]]]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        shard, logs = element
        packs = {log: list(logs[log]) for log in (None, ACTIONS)}
        impressions, actions = (
            unpacked(packs[log]) if packs[log] else None for log in (None, ACTIONS)
        )
        rules = self._settings.logs.actions
        assert rules is not None  # noqa: S101 (these are event logs)
        together = joined(impressions, actions, rules, self._names[ACTIONS])
        rejected, tally = together.rejected, Tally()
        received = actions.num_rows if actions is not None else 0
        of_other_days = together.of_other_days
        passed = received - len(rejected) - of_other_days
        count_step(
            tally, counted.JOIN_ACTIONS, received, passed, rejected, of_other_days=of_other_days
        )
        tally.update({(counted.ACTION, kind): count for kind, count in together.kinds.items()})
        own = together.impressions
        if impressions is not None and own is not None:
            of_other_days = impressions.num_rows - own.num_rows
            rows, unusable = label_joined(
                own, together.columns, self._read_values, self._names[None]
            )
            count_step(
                tally,
                counted.LABEL,
                impressions.num_rows,
                rows.num_rows,
                unusable,
                of_other_days=of_other_days,
            )
            rejected = rejected + unusable
            if rows.num_rows:
                yield beam.pvalue.TaggedOutput(ROWS, (shard, [packed(rows)]))
        if rejected:
            yield beam.pvalue.TaggedOutput(REJECTED, rejected_batch(rejected))
        count_in_beam(tally)
        yield beam.pvalue.TaggedOutput(TALLY, tally)

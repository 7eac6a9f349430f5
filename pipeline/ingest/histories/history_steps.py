"""Histories as a Beam pipeline: rows by key, features by shard, and the state that is left.

(shard, rows) ─► RowsOfHistories ─► by key ─┬─► FeaturesOfKeys ─► (shard, features)
earlier state ─► ReadState ─────────────────┘          └─► state, in files
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.artifacts.history_state import BEFORE_ALL, COUNTS, KEY, SEQUENCES, HistoryState
from feature_spec.histories.histories import Histories
from feature_spec.histories.history_values import cutoff_us
from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.accounting.summary import event_days, first_day
from pipeline.ingest.examples.split_assignment import SplitAssignment, in_order
from pipeline.ingest.histories.history_rows import SHARD, HistoryRows, partitions_of
from pipeline.ingest.histories.point_in_time import count_features, sequence_features
from pipeline.ingest.histories.state import (
    as_history_rows,
    compact_counts,
    compact_sequence,
    state_batches,
    state_paths,
    write_state,
    write_state_file,
)
from pipeline.ingest.histories.time_ranges import CountInRanges, SequenceInRanges
from pipeline.ingest.labelling.labelled_rows import ARRIVAL, CHANGE_TIME
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_tables import Spill, SpilledTable, from_ipc, ipc_by_shard
from pipeline.ingest.sources.files import InputFiles
from pipeline.ingest.sources.record_source import source_names

_ROWS, _REACH = "rows", "reach"
# Compressed, as Arrow tables; about a million rows. What is larger does not go into memory at once.
LARGEST_PARTITION_BYTES = 1 << 24


class EarlierState(NamedTuple):
    """The state that the ingestion of an earlier day left.

    Attributes:
        folder: its folder.
        state: its description.
    """

    folder: str
    state: HistoryState


class Reach(NamedTuple):
    """What a state holds, as far as a shard tells.

    Attributes:
        exposures: the number of exposures.
        latest_us: the latest time of an exposure; `BEFORE_ALL` without any.
        until_us: the latest time of an exposure or of its feedback, likewise.
    """

    exposures: int = 0
    latest_us: int = BEFORE_ALL
    until_us: int = BEFORE_ALL


class HistoryFeatures(beam.PTransform):
    """Computes the features of histories, and writes the state that is left.

    Args:
        settings: the spec's rules, with histories.
        files: the files of the log.
        shards: the number of shards.
        unfinished: the folder for spilled tables.
        folder: the folder of the state.
        earlier: the state to go on with, if any.
    """

    def __init__(
        self,
        settings: IngestSettings,
        files: InputFiles,
        *,
        shards: int,
        unfinished: str,
        folder: str,
        earlier: EarlierState | None,
    ) -> None:
        super().__init__()
        self._settings, self._files, self._shards = settings, files, shards
        self._unfinished, self._folder, self._earlier = unfinished, folder, earlier

    def expand(
        self, inputs: tuple[beam.PCollection, beam.PCollection, beam.PCollection]
    ) -> beam.PCollection:
        """Wire the steps.

        Args:
            inputs: (shard, tables of its rows), each shard once; the counts of all files; the side
                tables by name.

        Returns:
            (shard, table of features), several a shard.
        """
        by_shard, counts_of_files, tables = inputs
        keyed = _Keyed(self._settings, self._shards)
        counts = beam.pvalue.AsSingleton(counts_of_files)
        rows = by_shard | "RowsOfHistories" >> beam.ParDo(
            _RowsOfHistories(keyed, source_names(self._settings, self._files, None)),
            counts=counts,
            tables=beam.pvalue.AsDict(tables),
        ).with_outputs(_ROWS, _REACH)
        reach = rows[_REACH] | "Reach" >> beam.CombineGlobally(_reach)
        both = [rows[_ROWS]]
        if self._earlier is not None:
            both.append(
                by_shard.pipeline
                | "EarlierState" >> beam.Create(_earlier_files(self._earlier, keyed.histories))
                | "EarlierFiles" >> beam.Reshuffle()
                | "ReadState" >> beam.ParDo(_ReadState(keyed))
            )
        _ = reach | "WriteState" >> beam.Map(
            _write_description, self._settings, self._folder, self._earlier, counts=counts
        )
        features: beam.PCollection = (
            both
            | "RowsAndState" >> beam.Flatten()
            | "SpillHistories" >> Spill(self._unfinished)
            | "ByKey" >> beam.GroupByKey()
            | "FeaturesOfKeys"
            >> beam.ParDo(_FeaturesOfKeys(keyed, self._folder), beam.pvalue.AsSingleton(reach))
            | "SpillFeatures" >> Spill(self._unfinished)
        )
        return features


class _Keyed:
    """The numbers of the partitions of keys, over all histories."""

    def __init__(self, settings: IngestSettings, shards: int) -> None:
        assert settings.histories is not None  # noqa: S101 (the caller has checked it)
        self.settings = settings
        self.histories: Histories = settings.histories
        self.names = [*self.histories.counts, *self.histories.sequences]
        self.shards = shards
        # Rows of histories are small, and each partition sends a table to each shard.
        self.partitions = max(shards // 8, 4)

    def elements(self, name: str, rows: pa.Table) -> Iterator[tuple[int, bytes]]:
        """Yield rows of a history by the number of their partition."""
        if rows.num_rows:
            first = self.names.index(name) * self.partitions
            partition_of = partitions_of(rows.column(KEY).combine_chunks(), self.partitions)
            for partition, table in ipc_by_shard(rows, partition_of, self.partitions):
                yield first + partition, table

    def part(self, number: int) -> tuple[str, str]:
        """Return the history of a partition, and its part, such as ``00000-of-00004``."""
        history, partition = divmod(number, self.partitions)
        return self.names[history], f"{partition:05d}-of-{self.partitions:05d}"


class _RowsOfHistories(beam.DoFn):
    """Turns (shard, tables of its rows) into (partition of keys, table of history rows)."""

    def __init__(self, keyed: _Keyed, files: Sequence[str]) -> None:
        self._keyed = keyed
        self._files = files
        self._rows: HistoryRows | None = None

    def process(
        self, element: tuple[int, Iterable[bytes]], counts: Counts, tables: dict[str, bytes]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Yield the rows of a shard by key, given the counts of all files and the side tables."""
        shard, stored = element
        settings = self._keyed.settings
        if self._rows is None:  # the side tables are the same for every shard
            self._rows = HistoryRows(
                settings, {name: from_ipc([rows]) for name, rows in tables.items()}
            )
        assign = SplitAssignment(settings, self._files, frozenset(), event_days(counts, settings))
        rows = in_order(from_ipc(stored))
        kept = assign.kept(rows)
        places = np.flatnonzero(kept)
        rows = rows.filter(pa.array(kept)).combine_chunks()
        for name, table in self._rows(rows, places, shard):
            for keyed in self._keyed.elements(name, table):
                yield beam.pvalue.TaggedOutput(_ROWS, keyed)
        yield beam.pvalue.TaggedOutput(_REACH, _reach_of(rows))


def _reach_of(rows: pa.Table) -> Reach:
    if not rows.num_rows:
        return Reach()
    latest = until = int(rows.column(names.EVENT_TIME).to_numpy().max())
    if ARRIVAL in rows.column_names:
        until = max(until, int(rows.column(ARRIVAL).to_numpy().max()))
    if CHANGE_TIME in rows.column_names:
        times = pc.list_flatten(rows.column(CHANGE_TIME))
        until = max(until, pc.max(times).as_py() or until)
    return Reach(rows.num_rows, latest, until)


def _reach(parts: Iterable[Reach]) -> Reach:
    total = Reach()
    for part in parts:
        total = Reach(
            total.exposures + part.exposures,
            max(total.latest_us, part.latest_us),
            max(total.until_us, part.until_us),
        )
    return total


class _ReadState(beam.DoFn):
    """Turns (history, file) into (partition of keys, table of history rows)."""

    def __init__(self, keyed: _Keyed) -> None:
        self._keyed = keyed

    def process(self, element: tuple[str, str]) -> Iterator[tuple[int, bytes]]:
        name, path = element
        for rows in state_batches(path):
            yield from self._keyed.elements(name, as_history_rows(rows))


def _earlier_files(earlier: EarlierState, histories: Histories) -> list[tuple[str, str]]:
    return [
        (name, path)
        for kind, names_of_kind in ((COUNTS, histories.counts), (SEQUENCES, histories.sequences))
        for name in names_of_kind
        for path in state_paths(earlier.folder, kind, name)
    ]


class _FeaturesOfKeys(beam.DoFn):
    """Turns (partition of keys, tables of history rows) into (shard, table of features).

    It writes the state of the keys.
    """

    def __init__(self, keyed: _Keyed, folder: str) -> None:
        self._keyed = keyed
        self._folder = folder

    def process(
        self, element: tuple[int, Iterable[bytes]], reach: Reach
    ) -> Iterator[tuple[int, bytes]]:
        """Yield the features of the exposures of some keys, given what all of them reach."""
        number, stored = element
        name, part = self._keyed.part(number)
        settings, histories = self._keyed.settings, self._keyed.histories
        horizon_us = BEFORE_ALL
        if reach.exposures:
            latest = np.array([reach.latest_us], np.int64)
            horizon_us = int(cutoff_us(histories, latest, settings.timezone)[0])
        kind = COUNTS if name in histories.counts else SEQUENCES
        size = sum(len(one) if isinstance(one, bytes) else one.size_bytes for one in stored)
        if size > LARGEST_PARTITION_BYTES:
            in_ranges = (
                CountInRanges(name, histories.counts[name], horizon_us, settings)
                if kind == COUNTS
                else SequenceInRanges(name, histories.sequences[name], horizon_us)
            )
            ranges = -(-size // LARGEST_PARTITION_BYTES)
            for features in in_ranges.features(lambda: _tables(stored), ranges):
                yield from self._by_shard(features)
            state = in_ranges.state
        else:
            rows = from_ipc(stored)
            for features in (
                [count_features(rows, settings.history_columns[name])]
                if kind == COUNTS
                else sequence_features(name, histories.sequences[name], rows)
            ):
                yield from self._by_shard(features)
            state = (
                compact_counts(rows, histories.counts[name], horizon_us, settings)
                if kind == COUNTS
                else compact_sequence(rows, histories.sequences[name], horizon_us)
            )
        if state is not None:
            write_state_file(state, self._folder, kind, name, part)

    def _by_shard(self, features: pa.Table) -> Iterator[tuple[int, bytes]]:
        shard_of = features.column(SHARD).to_numpy()
        return ipc_by_shard(features.drop_columns([SHARD]), shard_of, self._keyed.shards)


def _tables(stored: Iterable[bytes | SpilledTable]) -> Iterator[pa.Table]:
    return (from_ipc([one]) for one in stored)


def _write_description(
    reach: Reach,
    settings: IngestSettings,
    folder: str,
    earlier: EarlierState | None,
    counts: Counts,
) -> None:
    before = earlier.state if earlier is not None else None
    state = HistoryState(
        digest=settings.history_digest,
        parts=settings.history_parts,
        until_us=max(reach.until_us, before.until_us if before else BEFORE_ALL),
        exposures=reach.exposures + (before.exposures if before else 0),
        first_day=before.first_day if before else first_day(counts, settings),
    )
    write_state(state, folder)

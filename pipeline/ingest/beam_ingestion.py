"""Ingestion as a Beam pipeline: files are labelled, shuffled once, and written shard by shard.

files ─► LabelFile ─► (shard, rows) ─► GroupByKey ─► WriteShard ─► TFRecord files by split and shard
              └─► records a day ─► event days ──────────┘ ▲
side tables ─► ReadSideTable ─► rows by key ──────────────┘
With histories: (shard, rows) ─► HistoryFeatures ─► (shard, features) ─► WriteShard
each step ─► rejected lines ─► rejected/*.parquet
each step ─► counts ─► ingest_summary.json
"""

from __future__ import annotations

import gc
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from feature_spec.artifacts.history_state import HISTORIES
from pipeline.ingest.accounting.counters import Counts, add_counts
from pipeline.ingest.accounting.rejects import REJECTED_FOLDER
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.ingest.events.event_logs import JoinEventLogs
from pipeline.ingest.examples.exported_tables import write_table
from pipeline.ingest.examples.shard_writing import (
    SHARD_FEATURES,
    SHARD_ROWS,
    UNFINISHED_FOLDER,
    WriteShard,
    shard_count,
)
from pipeline.ingest.histories.history_steps import EarlierState, HistoryFeatures
from pipeline.ingest.labelling.labelled_rows import RowLabeller, shard_numbers
from pipeline.ingest.labelling.log_tables import label_file, read_side_table
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_tables import ShardBuffer, Spill, SpilledTable, to_ipc
from pipeline.ingest.shuffle.step_outputs import (
    COUNTS,
    REJECTED,
    ROWS,
    WriteRejected,
    tagged_counts,
    tagged_rejected,
    tagged_rows,
)
from pipeline.ingest.sources.files import InputFiles
from pipeline.ingest.sources.log_reading import ReadLog
from pipeline.ingest.sources.record_source import RecordChunk, RecordSource, source_names


class IngestLogs(beam.PTransform):
    """Reads logs and writes examples, rejected lines and a summary.

    Args:
        settings: the spec's rules.
        files: the files of the log and its side tables.
        folder: the folder to write to.
        split_folders: the folder of each split.
        earlier: the state of histories to go on with; None to begin without.
    """

    def __init__(
        self,
        settings: IngestSettings,
        files: InputFiles,
        folder: str,
        split_folders: Mapping[str, str],
        earlier: EarlierState | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._files = files
        self._folder = folder
        self._split_folders = dict(split_folders)
        self._earlier = earlier

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PDone:
        """Wire the steps."""
        settings, connector = self._settings, self._settings.logs.shown.connector
        shards = (
            connector.shards
            if connector is not None
            else shard_count(self._files.sources[None], settings.histories)
        )
        unfinished = FileSystems.join(self._folder, UNFINISHED_FOLDER)
        if settings.logs.actions is not None:
            join = JoinEventLogs(settings, self._files, shards, unfinished)
            by_shard, counts_of_files, others = pipeline | "EventLogs" >> join
        else:
            labelled = (
                pipeline
                | "ReadExposures" >> ReadLog(settings, self._files, None)
                | "LabelFile"
                >> beam.ParDo(_LabelFile(settings, shards)).with_outputs(ROWS, REJECTED, COUNTS)
            )
            counts_of_files = labelled[COUNTS] | "CountFiles" >> beam.CombineGlobally(add_counts)
            by_shard = (
                labelled[ROWS] | "SpillRows" >> Spill(unfinished) | "ByShard" >> beam.GroupByKey()
            )
            others = [(labelled[REJECTED], counts_of_files)]
        tables = _side_tables(pipeline, settings, self._files)
        if settings.export_tables:
            _ = tables[ROWS] | "WriteTables" >> beam.Map(write_table, settings, self._folder)
        if settings.histories is not None:
            histories = HistoryFeatures(
                settings,
                self._files,
                shards=shards,
                unfinished=unfinished,
                folder=FileSystems.join(self._folder, HISTORIES),
                earlier=self._earlier,
            )
            features = (by_shard, counts_of_files, tables[ROWS]) | "Histories" >> histories
            stored = by_shard | "Tables" >> beam.FlatMap(_tables_of_shard)
            if settings.logs.actions is not None:  # else they are spilled already
                stored = stored | "SpillJoined" >> Spill(unfinished)
            by_shard = {
                SHARD_ROWS: stored,
                SHARD_FEATURES: features,
            } | "WithFeatures" >> beam.CoGroupByKey()
        written = by_shard | "WriteShard" >> beam.ParDo(
            WriteShard(
                settings,
                self._files,
                shards,
                self._folder,
                self._split_folders,
                first_day=self._earlier.state.first_day if self._earlier is not None else None,
            ),
            counts=beam.pvalue.AsSingleton(counts_of_files),
            tables=beam.pvalue.AsDict(tables[ROWS]),
        ).with_outputs(REJECTED, COUNTS)
        _ = (
            (*(rejected for rejected, _ in others), tables[REJECTED], written[REJECTED])
            | "AllRejected" >> beam.Flatten()
            | "WriteRejected" >> WriteRejected(FileSystems.join(self._folder, REJECTED_FOLDER))
        )
        return (
            (*(counts for _, counts in others), tables[COUNTS], written[COUNTS])
            | "AllCounts" >> beam.Flatten()
            | "Counts" >> beam.CombineGlobally(add_counts)
            | "WriteSummary" >> beam.Map(_write_summary, settings, self._folder)
        )


def _side_tables(
    pipeline: beam.Pipeline, settings: IngestSettings, files: InputFiles
) -> dict[str, beam.PCollection]:
    """Read side tables as (name, table), with rejected lines and counts; files by one step."""
    connected = [
        name for name, table in settings.logs.tables.items() if table.connector is not None
    ]
    steps = [
        pipeline
        | "SideTables"
        >> beam.Create([name for name in settings.logs.tables if name not in connected])
        | "ReadSideTable"
        >> beam.ParDo(_ReadSideTable(settings, files), ()).with_outputs(ROWS, REJECTED, COUNTS)
    ]
    for name in connected:
        records = (
            pipeline
            | f"Read_{name}" >> ReadLog(settings, files, name)
            | f"Records_{name}" >> beam.Values()
        )
        steps.append(
            pipeline
            | f"SideTable_{name}" >> beam.Create([name])
            | f"ReadSideTable_{name}"
            >> beam.ParDo(
                _ReadSideTable(settings, files), beam.pvalue.AsIter(records)
            ).with_outputs(ROWS, REJECTED, COUNTS)
        )
    return {
        tag: [step[tag] for step in steps] | f"SideTables_{tag}" >> beam.Flatten()
        for tag in (ROWS, REJECTED, COUNTS)
    }


def _write_summary(counts: Counts, settings: IngestSettings, folder: str) -> None:
    with FileSystems.create(FileSystems.join(folder, SUMMARY_FILE)) as file:
        file.write(IngestSummary.of(counts, settings).model_dump_json(indent=2).encode())


def _tables_of_shard(
    element: tuple[int, Iterable[bytes | SpilledTable]],
) -> Iterator[tuple[int, bytes | SpilledTable]]:
    shard, tables = element
    return zip(itertools.repeat(shard), tables, strict=False)


class _LabelFile(beam.DoFn):
    """Turns (number, file or chunk) into (shard, table of labelled rows), several a shard."""

    def __init__(self, settings: IngestSettings, shards: int) -> None:
        self._settings = settings
        self._shards = shards

    def setup(self) -> None:
        self._labeller = RowLabeller(self._settings)
        gc.freeze()  # so that Python's collector does not search all of TensorFlow and TFX

    def process(self, element: tuple[int, RecordSource]) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        counts: Counts = Counter()
        buffer = ShardBuffer(lambda rows: shard_numbers(rows, self._shards), self._shards)
        for batch in label_file(file, number, self._settings, self._labeller):
            counts.update(batch.counts)
            yield from tagged_rejected(batch.rejected)
            yield from tagged_rows(buffer.add(batch.rows))
        yield from tagged_rows(buffer.flush())
        yield tagged_counts(counts)


class _ReadSideTable(beam.DoFn):
    """Turns the name of a side table into (name, table)."""

    def __init__(self, settings: IngestSettings, files: InputFiles) -> None:
        self._settings = settings
        self._files = files

    def process(
        self, name: str, chunks: Iterable[RecordChunk]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Read a side table from its files, or from chunks of BigQuery."""
        sources: list[RecordSource] = [*self._files.sources[name]]
        if self._settings.logs.tables[name].connector is not None:
            # Rows of BigQuery come in any order, on which the first row of a key must not depend.
            content = sorted((row for chunk in chunks for row in chunk.contents), key=repr)
            source = source_names(self._settings, self._files, name)[0]
            sources.append(RecordChunk(source, [0] * len(content), content))
        rows, rejected, counts = read_side_table(name, sources, self._settings)
        yield from tagged_rejected(rejected)
        yield tagged_counts(counts)
        yield beam.pvalue.TaggedOutput(ROWS, (name, to_ipc(rows)))

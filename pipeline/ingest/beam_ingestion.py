"""Ingestion as a Beam pipeline: label file by file, shuffle Arrow tables once, then settle, join and write shard by shard.

files ─► LabelFile ─► (shard, rows) ─► GroupByKey ─► WriteShard ─► TFRecord files, one a split and
shard
              └─► records a day ─► event days ──────────┘ ▲
side tables ─► ReadSideTable ─► rows by key ──────────────┘
each step ─► rejected lines ─► rejected/*.parquet
each step ─► tally ─► ingest_summary.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from pipeline.ingest.accounting.counters import Tally, add_tallies
from pipeline.ingest.accounting.rejected_files import WriteRejected, rejected_batch
from pipeline.ingest.accounting.rejects import REJECTED_FOLDER
from pipeline.ingest.accounting.summary import SUMMARY_FILE, IngestSummary
from pipeline.ingest.events.event_logs import JoinEventLogs
from pipeline.ingest.examples.shard_writing import (
    REJECTED,
    ROWS,
    TALLY,
    UNFINISHED_FOLDER,
    WriteShard,
    count_in_beam,
    shard_count,
    tagged_rows,
)
from pipeline.ingest.examples.split_assignment import shard_numbers
from pipeline.ingest.garbage_collection import spare_imported_objects
from pipeline.ingest.labelling.exposure_file import label_file
from pipeline.ingest.labelling.labelled_rows import RowLabeller
from pipeline.ingest.labelling.side_table import read_side_table
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_ipc import Packer, packed
from pipeline.ingest.shuffle.spill import StorePacks
from pipeline.ingest.sources.files import InputFiles, LogFile
from pipeline.ingest.sources.log_reading import ReadLog
from pipeline.ingest.sources.record_chunk import Received
from pipeline.ingest.sources.source_names import source_names


class IngestLogs(beam.PTransform):
    """Reads logs and writes examples, rejected lines and a summary. Takes a pipeline, gives nothing.

    Args:
        settings: the spec's rules.
        files: the files of the log and its side tables.
        folder: where to write.
        split_folders: the folder of each split.
    """

    def __init__(
        self,
        settings: IngestSettings,
        files: InputFiles,
        folder: str,
        split_folders: Mapping[str, str],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._files = files
        self._folder = folder
        self._split_folders = dict(split_folders)

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PDone:
        """Wires the steps."""
        settings, connector = self._settings, self._settings.logs.shown.connector
        shards = (
            connector.shards if connector is not None else shard_count(self._files.sources[None])
        )
        unfinished = FileSystems.join(self._folder, UNFINISHED_FOLDER)
        if settings.logs.actions is not None:
            join = JoinEventLogs(settings, self._files, shards, unfinished)
            by_shard, tally_of_files, others = pipeline | "EventLogs" >> join
        else:
            labelled = (
                pipeline
                | "ReadExposures" >> ReadLog(settings, self._files, None)
                | "LabelFile"
                >> beam.ParDo(_LabelFile(settings, shards)).with_outputs(ROWS, REJECTED, TALLY)
            )
            tally_of_files = labelled[TALLY] | "TallyFiles" >> beam.CombineGlobally(add_tallies)
            by_shard = (
                labelled[ROWS]
                | "StoreRows" >> StorePacks(unfinished)
                | "ByShard" >> beam.GroupByKey()
            )
            others = [(labelled[REJECTED], tally_of_files)]
        tables = _side_tables(pipeline, settings, self._files)
        written = by_shard | "WriteShard" >> beam.ParDo(
            WriteShard(settings, self._files, shards, self._folder, self._split_folders),
            tally=beam.pvalue.AsSingleton(tally_of_files),
            tables=beam.pvalue.AsDict(tables[ROWS]),
        ).with_outputs(REJECTED, TALLY)
        _ = (
            (*(rejected for rejected, _ in others), tables[REJECTED], written[REJECTED])
            | "AllRejected" >> beam.Flatten()
            | "WriteRejected" >> WriteRejected(FileSystems.join(self._folder, REJECTED_FOLDER))
        )
        return (
            (*(tally for _, tally in others), tables[TALLY], written[TALLY])
            | "AllTallies" >> beam.Flatten()
            | "Tally" >> beam.CombineGlobally(add_tallies)
            | "WriteSummary" >> beam.Map(_write_summary, settings, self._folder)
        )


def _side_tables(
    pipeline: beam.Pipeline, settings: IngestSettings, files: InputFiles
) -> dict[str, beam.PCollection]:
    """(name, packed rows), rejected lines and counts of the side tables, those in files by one step."""
    received = [name for name, table in settings.logs.tables.items() if table.connector is not None]
    steps = [
        pipeline
        | "SideTables"
        >> beam.Create([name for name in settings.logs.tables if name not in received])
        | "ReadSideTable"
        >> beam.ParDo(_ReadSideTable(settings, files), ()).with_outputs(ROWS, REJECTED, TALLY)
    ]
    for name in received:
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
            ).with_outputs(ROWS, REJECTED, TALLY)
        )
    return {
        tag: [step[tag] for step in steps] | f"SideTables_{tag}" >> beam.Flatten()
        for tag in (ROWS, REJECTED, TALLY)
    }


def _write_summary(tally: Tally, settings: IngestSettings, folder: str) -> None:
    with FileSystems.create(FileSystems.join(folder, SUMMARY_FILE)) as file:
        file.write(IngestSummary.of(tally, settings).model_dump_json(indent=2).encode())


class _LabelFile(beam.DoFn):
    """From (number, file or records) to (shard, packed rows), several a shard; lines that cannot be used and counts apart."""

    def __init__(self, settings: IngestSettings, shards: int) -> None:
        self._settings = settings
        self._shards = shards

    def setup(self) -> None:
        self._labeller = RowLabeller(self._settings)
        spare_imported_objects()

    def process(
        self, element: tuple[int, LogFile | Received]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        tally: Tally = Counter()
        packer = Packer(lambda rows: shard_numbers(rows, self._shards), self._shards)
        for batch in label_file(file, number, self._settings, self._labeller):
            tally.update(batch.counts)
            if batch.rejected:
                yield beam.pvalue.TaggedOutput(REJECTED, rejected_batch(batch.rejected))
            yield from tagged_rows(packer.add(batch.rows))
        yield from tagged_rows(packer.rest())
        count_in_beam(tally)
        yield beam.pvalue.TaggedOutput(TALLY, tally)


class _ReadSideTable(beam.DoFn):
    """From the name of a side table to (name, packed rows); lines that cannot be used and counts apart."""

    def __init__(self, settings: IngestSettings, files: InputFiles) -> None:
        self._settings = settings
        self._files = files

    def process(
        self, name: str, received: Iterable[Received]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Reads a side table: its files, or what was received of it."""
        lines: list[LogFile | Received] = [*self._files.sources[name]]
        if self._settings.logs.tables[name].connector is not None:
            # Rows of BigQuery come in any order; which row of a key is the first must not depend on
            # it.
            content = sorted((row for records in received for row in records.contents), key=repr)
            lines.append(
                Received(
                    source_names(self._settings, self._files, name)[0], [0] * len(content), content
                )
            )
        rows, rejected, tally = read_side_table(name, lines, self._settings)
        if rejected:
            yield beam.pvalue.TaggedOutput(REJECTED, rejected_batch(rejected))
        count_in_beam(tally)
        yield beam.pvalue.TaggedOutput(TALLY, tally)
        yield beam.pvalue.TaggedOutput(ROWS, (name, packed(rows)))

"""Ingestion as a Beam pipeline: label file by file, shuffle Arrow tables once, then settle, join and write shard by shard.

files ─► LabelFile ─► (shard, rows) ─► GroupByKey ─► WriteShard ─► TFRecord files, one a split and shard
              └─► records a day ─► event days ──────────┘ ▲
side tables ─► ReadSideTable ─► rows by key ──────────────┘
each step ─► rejected lines ─► rejected/*.jsonl.gz
each step ─► tally ─► ingest_summary.json
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from pipeline.ingest import tally as counted
from pipeline.ingest.example_encoding import ExampleEncoder
from pipeline.ingest.exposure_file import label_file
from pipeline.ingest.files import InputFiles, LogFile
from pipeline.ingest.labelled_rows import LABEL, RowLabeller
from pipeline.ingest.rejection import Reason
from pipeline.ingest.settings import IngestSettings
from pipeline.ingest.settling import Settling, shard_numbers
from pipeline.ingest.side_table import read_side_table
from pipeline.ingest.summary import SUMMARY_FILE, IngestSummary, event_days
from pipeline.ingest.tally import Tally, add_tallies, counts_under
from pipeline.ingest.tfrecords import TFRecordWriter

REJECTED_FOLDER = "rejected"
UNFINISHED_FOLDER = "unfinished"
# Beam handles few large elements far faster than many small ones.
_ROWS_HELD = 65_536
_LEAST_SHARDS = 4
_COMPRESSED_BYTES_OF_SHARD = 4_000_000
# Logs shrink about that much.
_COMPRESSION_RATIO = 8
_REJECTED, _TALLY, _ROWS = "rejected", "tally", "rows"


class IngestLogs(beam.PTransform):
    """Reads logs and writes examples, rejected lines and a summary. Takes a pipeline, gives nothing.

    Args:
        settings: the spec's rules.
        files: the files of the log and its side tables.
        folder: where to write.
        split_folders: the folder of each split.
    """

    def __init__(self, settings: IngestSettings, files: InputFiles, folder: str, split_folders: Mapping[str, str]) -> None:
        super().__init__()
        self._settings = settings
        self._files = files
        self._folder = folder
        self._split_folders = dict(split_folders)

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PDone:
        """Wires the steps."""
        settings, exposures = self._settings, self._files.sources[None]
        shards = shard_count(exposures)
        labelled = (
            pipeline
            | "Files" >> beam.Create(list(enumerate(exposures)))
            | "SpreadFiles" >> beam.Reshuffle()
            | "LabelFile" >> beam.ParDo(_LabelFile(settings, shards)).with_outputs(_ROWS, _REJECTED, _TALLY)
        )
        tables = (
            pipeline
            | "SideTables" >> beam.Create(list(settings.logs.tables))
            | "ReadSideTable" >> beam.ParDo(_ReadSideTable(settings, self._files)).with_outputs(_ROWS, _REJECTED, _TALLY)
        )
        tally_of_files = labelled[_TALLY] | "TallyFiles" >> beam.CombineGlobally(add_tallies)
        written = (
            labelled[_ROWS]
            | "ByShard" >> beam.GroupByKey()
            | "WriteShard"
            >> beam.ParDo(
                _WriteShard(settings, self._files, shards, self._folder, self._split_folders),
                tally=beam.pvalue.AsSingleton(tally_of_files),
                tables=beam.pvalue.AsDict(tables[_ROWS]),
            ).with_outputs(_REJECTED, _TALLY)
        )
        _ = (
            (labelled[_REJECTED], tables[_REJECTED], written[_REJECTED])
            | "AllRejected" >> beam.Flatten()
            | "WriteRejected"
            >> beam.io.WriteToText(FileSystems.join(self._folder, REJECTED_FOLDER, "lines"), file_name_suffix=".jsonl.gz")
        )
        return (
            (tally_of_files, tables[_TALLY], written[_TALLY])
            | "AllTallies" >> beam.Flatten()
            | "Tally" >> beam.CombineGlobally(add_tallies)
            | "WriteSummary" >> beam.Map(_write_summary, settings, self._folder)
        )


def shard_count(files: Iterable[LogFile]) -> int:
    """How many shards to write, so that the records of one fit into memory with ease."""
    compressed = sum(
        file.size_bytes / (1 if file.name.endswith((".gz", ".bz2", ".parquet")) else _COMPRESSION_RATIO) for file in files
    )
    return max(_LEAST_SHARDS, round(compressed / _COMPRESSED_BYTES_OF_SHARD))


def _write_summary(tally: Tally, settings: IngestSettings, folder: str) -> None:
    with FileSystems.create(FileSystems.join(folder, SUMMARY_FILE)) as file:
        file.write(IngestSummary.of(tally, settings).model_dump_json(indent=2).encode())


def _counter(name: str) -> Metrics.DelegatingCounter:
    return Metrics.counter("fulcrum.ingest", name)


class _LabelFile(beam.DoFn):
    """From (number, file) to (shard, packed rows), several a shard; lines that cannot be used and counts apart."""

    def __init__(self, settings: IngestSettings, shards: int) -> None:
        self._settings = settings
        self._shards = shards
        self._lines_read, self._lines_rejected = _counter("lines_read"), _counter("lines_rejected")

    def setup(self) -> None:
        self._labeller = RowLabeller(self._settings)

    def process(self, element: tuple[int, LogFile]) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        tally: Tally = Counter()
        held: list[pa.Table] = []
        for rows, rejected in label_file(file, number, self._settings, self._labeller):
            tally[counted.LINES,] += rows.num_rows + len(rejected)
            for entry in rejected:
                tally[counted.REJECTED, entry.reason] += 1
                if entry.reason == Reason.UNREADABLE:
                    tally[counted.UNREADABLE_FILE, entry.source] += 1
                yield beam.pvalue.TaggedOutput(_REJECTED, entry.to_json())
            if "day" in rows.column_names:
                days, counts = np.unique(rows.column("day").to_numpy(), return_counts=True)
                tally.update({(counted.DAY, str(day)): int(count) for day, count in zip(days, counts, strict=True)})
            held.append(rows)
            if sum(table.num_rows for table in held) >= _ROWS_HELD:
                yield from _by_shard(held, self._shards)
                held = []
        yield from _by_shard(held, self._shards)
        self._lines_read.inc(tally[counted.LINES,])
        self._lines_rejected.inc(_total(tally, counted.REJECTED))
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class _ReadSideTable(beam.DoFn):
    """From the name of a side table to (name, packed rows); lines that cannot be used and counts apart."""

    def __init__(self, settings: IngestSettings, files: InputFiles) -> None:
        self._settings = settings
        self._files = files

    def process(self, name: str) -> Iterator[beam.pvalue.TaggedOutput]:
        rows, rejected, tally = read_side_table(name, self._files.sources[name], self._settings)
        for entry in rejected:
            if entry.reason == Reason.UNREADABLE:
                tally[counted.UNREADABLE_FILE, entry.source] += 1
            yield beam.pvalue.TaggedOutput(_REJECTED, entry.to_json())
        yield beam.pvalue.TaggedOutput(_TALLY, tally)
        yield beam.pvalue.TaggedOutput(_ROWS, (name, _packed(rows)))


class _WriteShard(beam.DoFn):
    """From (shard, packed rows) to a file a split; lines rejected on the way and counts apart."""

    def __init__(
        self, settings: IngestSettings, files: InputFiles, shards: int, folder: str, split_folders: dict[str, str]
    ) -> None:
        self._settings = settings
        self._files = files
        self._shards = shards
        self._unfinished = FileSystems.join(folder, UNFINISHED_FOLDER)
        self._split_folders = split_folders
        self._encoder: ExampleEncoder | None = None
        self._examples_written, self._lines_rejected = _counter("examples_written"), _counter("lines_rejected")

    def process(
        self, element: tuple[int, Iterable[bytes]], tally: Tally, tables: dict[str, bytes]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        shard, packs = element
        settings = self._settings
        if self._encoder is None:  # the side tables are the same for every shard
            self._encoder = ExampleEncoder(settings, {name: _unpacked([rows]) for name, rows in tables.items()})
        settling = Settling(settings, self._files.sources[None], self._files.evaluation, event_days(tally, settings))
        settled = settling.settle(_unpacked(packs))
        result: Tally = Counter()
        for entry in settled.rejected:
            result[counted.REJECTED, entry.reason] += 1
            yield beam.pvalue.TaggedOutput(_REJECTED, entry.to_json())
        with ThreadPoolExecutor(max_workers=1) as thread:
            for split, rows in settled.splits.items():
                with self._examples_file(split, shard, thread) as writer:
                    for examples in self._encoder.encode(rows, result):
                        writer.write(examples)
                result.update(_counts_of_split(split, rows, settings))
        self._examples_written.inc(_total(result, counted.EXAMPLES))
        self._lines_rejected.inc(_total(result, counted.REJECTED))
        yield beam.pvalue.TaggedOutput(_TALLY, result)

    @contextlib.contextmanager
    def _examples_file(self, split: str, shard: int, thread: ThreadPoolExecutor) -> Iterator[TFRecordWriter]:
        """A file that takes its name when it is complete, since a runner may try a shard twice."""
        name = f"data_tfrecord-{shard:05d}-of-{self._shards:05d}.gz"
        folder = self._split_folders[split]
        tf.io.gfile.makedirs(folder)
        tf.io.gfile.makedirs(self._unfinished)
        unfinished = FileSystems.join(self._unfinished, f"{split}-{uuid.uuid4().hex}-{name}")
        with tf.io.gfile.GFile(unfinished, "wb") as file:
            writer = TFRecordWriter(file, thread)
            yield writer
            writer.close()
        tf.io.gfile.rename(unfinished, FileSystems.join(folder, name), overwrite=True)


def _counts_of_split(split: str, rows: pa.Table, settings: IngestSettings) -> Tally:
    counts: Tally = Counter({(counted.EXAMPLES, split): rows.num_rows})
    for task in settings.tasks:
        labels = rows.column(LABEL + task).drop_null().to_numpy()
        counts[counted.SAMPLE_SPACE, split, task] = len(labels)
        counts[counted.LABEL_MILLIONTHS, split, task] = sum(np.rint(labels * 1_000_000).astype(np.int64).tolist())
    return counts


def _by_shard(tables: list[pa.Table], shards: int) -> Iterator[beam.pvalue.TaggedOutput]:
    if not tables:
        return
    rows = pa.concat_tables(tables)
    numbers = shard_numbers(rows, shards)
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(shards + 1))
    rows = rows.take(pa.array(order)).combine_chunks()
    for shard, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
        if end > start:
            yield beam.pvalue.TaggedOutput(_ROWS, (shard, _packed(rows.slice(start, end - start))))


def _packed(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def _unpacked(packs: Iterable[bytes]) -> pa.Table:
    return pa.concat_tables(pa.ipc.open_stream(pack).read_all() for pack in packs).combine_chunks()


def _total(tally: Tally, kind: str) -> int:
    return sum(counts_under(tally, kind).values())

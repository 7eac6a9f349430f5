"""Ingestion as a Beam pipeline: label file by file, shuffle compact records once, then settle, join and write shard by shard.

files ─► LabelFile ─► (shard, records) ─► GroupByKey ─► WriteShard ─► TFRecord files, one a split and shard
              └─► records a day ─► event days ─────────────┘ ▲
side tables ─► ReadSideTable ─► rows by key ─────────────────┘
each step ─► rejected lines ─► rejected/*.jsonl.gz
each step ─► tally ─► ingest_summary.json
"""

from __future__ import annotations

import contextlib
import pickle
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from pipeline.ingest import tally as counted
from pipeline.ingest.example_encoding import ExampleEncoder
from pipeline.ingest.exposure_file import label_file
from pipeline.ingest.files import InputFiles, LogFile
from pipeline.ingest.labelled_record import LabelledRecord, RecordLabeller
from pipeline.ingest.rejection import Reason, RejectedLine
from pipeline.ingest.settings import IngestSettings
from pipeline.ingest.settling import Settling, shard_of
from pipeline.ingest.side_table import read_side_table
from pipeline.ingest.summary import SUMMARY_FILE, IngestSummary, event_days
from pipeline.ingest.tally import Tally, add_tallies, counts_under

REJECTED_FOLDER = "rejected"
UNFINISHED_FOLDER = "unfinished"
# Beam handles few large elements far faster than many small ones. They are pickled here as a whole, which stores a value that
# many records share once; Beam would pickle record by record.
_RECORDS_HELD = 32_768
_LEAST_SHARDS = 4
_COMPRESSED_BYTES_OF_SHARD = 4_000_000
# Logs shrink about that much.
_COMPRESSION_RATIO = 8
# Examples repeat so much that a higher level hardly makes them smaller.
_COMPRESSION_LEVEL = 3
_REJECTED, _TALLY, _RECORDS = "rejected", "tally", "records"


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
            | "LabelFile" >> beam.ParDo(_LabelFile(settings, shards)).with_outputs(_RECORDS, _REJECTED, _TALLY)
        )
        tables = (
            pipeline
            | "SideTables" >> beam.Create(list(settings.logs.tables))
            | "ReadSideTable" >> beam.ParDo(_ReadSideTable(settings, self._files)).with_outputs(_RECORDS, _REJECTED, _TALLY)
        )
        tally_of_files = labelled[_TALLY] | "TallyFiles" >> beam.CombineGlobally(add_tallies)
        written = (
            labelled[_RECORDS]
            | "ByShard" >> beam.GroupByKey()
            | "WriteShard"
            >> beam.ParDo(
                _WriteShard(settings, self._files, shards, self._folder, self._split_folders),
                tally=beam.pvalue.AsSingleton(tally_of_files),
                tables=beam.pvalue.AsDict(tables[_RECORDS]),
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
    """From (number, file) to (shard, pickled records), several a shard; lines that cannot be used and counts apart."""

    def __init__(self, settings: IngestSettings, shards: int) -> None:
        self._settings = settings
        self._shards = shards
        self._lines_read, self._lines_rejected = _counter("lines_read"), _counter("lines_rejected")

    def setup(self) -> None:
        self._labeller = RecordLabeller(self._settings)

    def process(self, element: tuple[int, LogFile]) -> Iterator[beam.pvalue.TaggedOutput]:
        number, file = element
        tally: Tally = Counter()
        shards: defaultdict[int, list[LabelledRecord]] = defaultdict(list)
        held = 0
        for entry in label_file(file, number, self._settings, self._labeller):
            tally[counted.LINES,] += 1
            if isinstance(entry, RejectedLine):
                tally[counted.REJECTED, entry.reason] += 1
                if entry.reason == Reason.UNREADABLE:
                    tally[counted.UNREADABLE_FILE, entry.source] += 1
                yield beam.pvalue.TaggedOutput(_REJECTED, entry.to_json())
                continue
            if entry.day is not None:
                tally[counted.DAY, str(entry.day)] += 1
            shards[shard_of(entry.digest, self._shards)].append(entry)
            held += 1
            if held == _RECORDS_HELD:
                yield from _packed(shards)
                shards.clear()
                held = 0
        yield from _packed(shards)
        self._lines_read.inc(tally[counted.LINES,])
        self._lines_rejected.inc(_total(tally, counted.REJECTED))
        yield beam.pvalue.TaggedOutput(_TALLY, tally)


class _ReadSideTable(beam.DoFn):
    """From the name of a side table to (name, pickled rows by key); lines that cannot be used and counts apart."""

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
        yield beam.pvalue.TaggedOutput(_RECORDS, (name, pickle.dumps(rows)))


class _WriteShard(beam.DoFn):
    """From (shard, pickled records) to a file a split; lines rejected on the way and counts apart."""

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
            self._encoder = ExampleEncoder(settings, {name: _unpickled(rows) for name, rows in tables.items()})
        settling = Settling(settings, self._files.sources[None], self._files.evaluation, event_days(tally, settings))
        result: Tally = Counter()
        with contextlib.ExitStack() as stack:
            writers: dict[str, tf.io.TFRecordWriter] = {}
            for settled in settling.settle(record for pack in packs for record in _unpickled(pack)):
                if isinstance(settled, RejectedLine):
                    result[counted.REJECTED, settled.reason] += 1
                    yield beam.pvalue.TaggedOutput(_REJECTED, settled.to_json())
                    continue
                split, record = settled
                if split not in writers:
                    writers[split] = stack.enter_context(self._examples_file(split, shard))
                writers[split].write(self._encoder.encode(record, result))
                result[counted.EXAMPLES, split] += 1
                for task, label in zip(settings.tasks, record.labels, strict=True):
                    if label is not None:
                        result[counted.SAMPLE_SPACE, split, task] += 1
                        result[counted.LABEL_MILLIONTHS, split, task] += round(label * 1_000_000)
        self._examples_written.inc(_total(result, counted.EXAMPLES))
        self._lines_rejected.inc(_total(result, counted.REJECTED))
        yield beam.pvalue.TaggedOutput(_TALLY, result)

    @contextlib.contextmanager
    def _examples_file(self, split: str, shard: int) -> Iterator[tf.io.TFRecordWriter]:
        """A file that takes its name when it is complete, since a runner may try a shard twice."""
        name = f"data_tfrecord-{shard:05d}-of-{self._shards:05d}.gz"
        folder = self._split_folders[split]
        tf.io.gfile.makedirs(folder)
        tf.io.gfile.makedirs(self._unfinished)
        unfinished = FileSystems.join(self._unfinished, f"{split}-{uuid.uuid4().hex}-{name}")
        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_COMPRESSION_LEVEL)
        with tf.io.TFRecordWriter(unfinished, options) as writer:
            yield writer
        tf.io.gfile.rename(unfinished, FileSystems.join(folder, name), overwrite=True)


def _packed(shards: Mapping[int, list[LabelledRecord]]) -> Iterator[beam.pvalue.TaggedOutput]:
    return (beam.pvalue.TaggedOutput(_RECORDS, (shard, pickle.dumps(records))) for shard, records in shards.items())


def _unpickled(pack: bytes) -> Any:
    return pickle.loads(pack)  # noqa: S301 (this pipeline's own bytes)


def _total(tally: Tally, kind: str) -> int:
    return sum(counts_under(tally, kind).values())

"""Writing a shard: its rows become files of examples, one a split."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems

from feature_spec.histories.histories import Histories
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts, count_step, counts_under
from pipeline.ingest.accounting.summary import event_days, warm_up_before
from pipeline.ingest.examples.example_encoding import ExampleEncoder
from pipeline.ingest.examples.history_columns import HistoryColumns, count_histories
from pipeline.ingest.examples.sampling import recorded_rates, sampled
from pipeline.ingest.examples.split_assignment import SplitAssignment, in_order
from pipeline.ingest.examples.split_counts import counts_of_split
from pipeline.ingest.formats.tfrecords import TFRecordWriter
from pipeline.ingest.settings.ingest_config import IngestSettings
from pipeline.ingest.shuffle.arrow_tables import from_ipc
from pipeline.ingest.shuffle.step_outputs import tagged_counts, tagged_rejected
from pipeline.ingest.sources.files import InputFiles, LogFile
from pipeline.ingest.sources.record_source import source_names

UNFINISHED_FOLDER = "unfinished"
SHARD_ROWS, SHARD_FEATURES = "rows", "features"
_LEAST_SHARDS = 4
_COMPRESSED_BYTES_OF_SHARD = 4_000_000
# Typical of logs.
_COMPRESSION_RATIO = 8
# As many values of lists take about as much memory as a record.
_VALUES_OF_RECORD = 100


def shard_count(files: Iterable[LogFile], histories: Histories | None = None) -> int:
    """Return the number of shards to write, such that the records of one easily fit into memory.

    With histories, a record is larger by the lists of their sequences.
    """
    sequences = histories.sequences.values() if histories is not None else ()
    values = sum(len(one.fields) * one.max_length for one in sequences)
    compressed = sum(
        file.size_bytes
        / (1 if file.name.endswith((".gz", ".bz2", ".parquet")) else _COMPRESSION_RATIO)
        for file in files
    )
    size = compressed * (1.0 + values / _VALUES_OF_RECORD)
    return max(_LEAST_SHARDS, round(size / _COMPRESSED_BYTES_OF_SHARD))


class WriteShard(beam.DoFn):
    """Writes (shard, tables of its rows) to a file a split; yields rejected lines and counts.

    With histories, an element holds the tables of rows under `SHARD_ROWS`, and those of features of
    histories (see `history_columns`) under `SHARD_FEATURES`.
    """

    def __init__(
        self,
        settings: IngestSettings,
        files: InputFiles,
        shards: int,
        folder: str,
        split_folders: dict[str, str],
        *,
        first_day: int | None = None,
    ) -> None:
        self._first_day = first_day
        self._settings = settings
        self._files = files
        self._shards = shards
        self._unfinished = FileSystems.join(folder, UNFINISHED_FOLDER)
        self._split_folders = split_folders
        self._encoder: ExampleEncoder | None = None

    def process(
        self,
        element: tuple[int, Iterable[bytes] | Mapping[str, Iterable[bytes]]],
        counts: Counts,
        tables: dict[str, bytes],
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Write a shard, given the counts of all files and the side tables by name."""
        shard, stored = element
        settings = self._settings
        if self._encoder is None:  # the side tables are the same for every shard
            self._encoder = ExampleEncoder(
                settings, {name: from_ipc([rows]) for name, rows in tables.items()}
            )
        assign = SplitAssignment(
            settings,
            source_names(settings, self._files, None),
            self._files.evaluation,
            event_days(counts, settings),
            warm_up_before(counts, settings, self._first_day),
        )
        sequences: dict[str, pa.Array] = {}
        if isinstance(stored, Mapping):
            rows = in_order(from_ipc(stored[SHARD_ROWS]))
            features = (from_ipc([table]) for table in stored[SHARD_FEATURES])
            histories = HistoryColumns(settings, rows.num_rows, features)
            rows, sequences = histories.attached(rows), histories.sequences
        else:
            rows = from_ipc(stored)
        assigned = assign(rows)
        result: Counts = Counter()
        sampled_out = 0
        yield from tagged_rejected(assigned.rejected)
        with ThreadPoolExecutor(max_workers=1) as thread:
            for split, rows_of_split in assigned.splits.items():
                examples_of_split = sampled(rows_of_split, split, settings)
                sampled_out += rows_of_split.num_rows - examples_of_split.num_rows
                if not examples_of_split.num_rows:
                    continue
                rates = recorded_rates(split, settings)
                with self._examples_file(split, shard, thread) as writer:
                    for examples in self._encoder.encode(
                        examples_of_split, result, rates, sequences
                    ):
                        result[counters.EXAMPLES, split] += len(examples)
                        writer.write(examples)
                result.update(counts_of_split(split, examples_of_split, settings))
                count_histories(result, examples_of_split, settings)
        written = sum(counts_under(result, counters.EXAMPLES).values())
        count_step(
            result,
            counters.WRITE,
            rows.num_rows,
            written,
            assigned.rejected,
            sampled_out=sampled_out,
            warm_up=assigned.warm_up,
        )
        yield tagged_counts(result)

    @contextlib.contextmanager
    def _examples_file(
        self, split: str, shard: int, thread: ThreadPoolExecutor
    ) -> Iterator[TFRecordWriter]:
        """Open a file that gets its name once complete, since a runner may try a shard twice."""
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

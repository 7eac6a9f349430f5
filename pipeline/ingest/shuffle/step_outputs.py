"""The outputs of Beam steps beside their rows: rejected lines, as Parquet files, and counts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.accounting.rejection import REJECTED_SCHEMA, RejectedLine, rejected_table
from pipeline.ingest.shuffle.arrow_tables import from_ipc, to_ipc

# The names of the outputs.
ROWS, REJECTED, COUNTS = "rows", "rejected", "counts"
# Source and first offset, by which batches are ordered, and a serialised table.
RejectedBatch = tuple[str, int, bytes]
_METRICS = "fulcrum.ingest"
_FILES = 4


def tagged_rows(elements: Iterable[tuple[int, bytes]]) -> Iterator[TaggedOutput]:
    """Yield elements to the output `ROWS`."""
    return (TaggedOutput(ROWS, element) for element in elements)


# Beam's counters have 64 bits, for the sum of all parts.
_LARGEST_METRIC = 2**48


def tagged_rejected(lines: Sequence[RejectedLine]) -> Iterator[TaggedOutput]:
    """Yield lines to the output `REJECTED` as one element; nothing if there are none."""
    if lines:
        lines = sorted(lines, key=lambda line: (line.source, line.offset))
        batch = lines[0].source, lines[0].offset, to_ipc(rejected_table(lines))
        yield TaggedOutput(REJECTED, batch)


def tagged_counts(counts: Counts) -> TaggedOutput:
    """Return counts for the output `COUNTS`; add them to Beam's, as ``rejected/duplicate``."""
    for name, count in counts.items():
        if abs(count) >= _LARGEST_METRIC:
            continue  # the sum of very large labels
        Metrics.counter(_METRICS, "/".join(name)).inc(count)
    return TaggedOutput(COUNTS, counts)


class WriteRejected(beam.PTransform):
    """Writes rejected lines as Parquet files of `REJECTED_SCHEMA`, each for a quarter of sources.

    Args:
        folder: the folder to write to.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, batches: beam.PCollection[RejectedBatch]) -> beam.PCollection[None]:
        """Wire the steps."""
        return (
            batches
            | "ByFile" >> beam.Map(lambda batch: (zlib.crc32(batch[0].encode()) % _FILES, batch))
            | "GroupByFile" >> beam.GroupByKey()
            | "WriteFile" >> beam.Map(_write_file, self._folder)
        )


def _write_file(file_with_batches: tuple[int, Iterable[RejectedBatch]], folder: str) -> None:
    number, batches = file_with_batches
    # Batch by batch, since a log may be rejected as a whole. A runner that writes a file twice
    # writes the same content.
    with (
        FileSystems.create(
            FileSystems.join(folder, f"lines-{number:05d}-of-{_FILES:05d}.parquet")
        ) as file,
        pq.ParquetWriter(file, REJECTED_SCHEMA, compression="zstd") as writer,
    ):
        for _, _, batch in sorted(batches):
            writer.write_table(from_ipc([batch]))

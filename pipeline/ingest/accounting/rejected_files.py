"""Rejected lines in Parquet files beside the examples."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from pipeline.ingest.accounting.rejection import REJECTED_SCHEMA, RejectedLine, rejected_table
from pipeline.ingest.shuffle.arrow_ipc import packed, unpacked

# From source and first offset, by which batches are ordered, to a packed table.
RejectedBatch = tuple[str, int, bytes]
_FILES = 4


def rejected_batch(lines: Sequence[RejectedLine]) -> RejectedBatch:
    """Some rejected lines, at least one, as one element."""
    lines = sorted(lines, key=lambda line: (line.source, line.offset))
    return lines[0].source, lines[0].offset, packed(rejected_table(lines))


class WriteRejected(beam.PTransform):
    """Writes batches of rejected lines as Parquet files of `REJECTED_SCHEMA`: a file for each quarter of the sources.

    Args:
        folder: where to write.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, batches: beam.PCollection[RejectedBatch]) -> beam.PCollection[None]:
        """Wires the steps."""
        return (
            batches
            | "ByFile" >> beam.Map(lambda batch: (zlib.crc32(batch[0].encode()) % _FILES, batch))
            | "GroupByFile" >> beam.GroupByKey()
            | "WriteFile" >> beam.Map(_write_file, self._folder)
        )


def _write_file(file_with_batches: tuple[int, Iterable[RejectedBatch]], folder: str) -> None:
    number, batches = file_with_batches
    # Batch by batch, since a log may be rejected as a whole. What a runner writes twice is the same
    # both times.
    with (
        FileSystems.create(
            FileSystems.join(folder, f"lines-{number:05d}-of-{_FILES:05d}.parquet")
        ) as file,
        pq.ParquetWriter(file, REJECTED_SCHEMA, compression="zstd") as writer,
    ):
        for _, _, batch in sorted(batches):
            writer.write_table(unpacked([batch]))

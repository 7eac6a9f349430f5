"""Arrow tables as elements that Beam shuffles: serialised by shard, and spilled to files.

Beam handles few large elements far faster than many small ones. Its runners in memory would hold
several copies of all of them; with these, tables wait in files.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import StandardOptions

_ROWS_HELD = 65_536
# None is Beam's default, which runs in memory.
_RUNNERS_IN_MEMORY = {
    None,
    "DirectRunner",
    "SwitchingDirectRunner",
    "FnApiRunner",
    "BundleBasedDirectRunner",
}


class SpilledTable(NamedTuple):
    """A serialised table in a file (see `Spill`)."""

    path: str
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        """Return the serialised table."""
        import tensorflow as tf

        with tf.io.gfile.GFile(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size_bytes)


def to_ipc(rows: pa.Table) -> bytes:
    """Serialise a table as a compressed Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def from_ipc(tables: Iterable[bytes | SpilledTable]) -> pa.Table:
    """Concatenate serialised tables, at least one; a column that one lacks is null there."""
    read = (
        pa.ipc.open_stream(table if isinstance(table, bytes) else table.read()).read_all()
        for table in tables
    )
    return pa.concat_tables(read, promote_options="default").combine_chunks()


class ShardBuffer:
    """Gathers rows and serialises them by shard.

    Args:
        shard_of: returns the shard of each row of a table, (N,).
        shards: the number of shards.
    """

    def __init__(self, shard_of: Callable[[pa.Table], np.ndarray], shards: int) -> None:
        self._shard_of = shard_of
        self._shards = shards
        self._held: list[pa.Table] = []

    def add(self, rows: pa.Table) -> Iterator[tuple[int, bytes]]:
        """Take rows; once there are many, yield them and earlier ones as (shard, table)."""
        self._held.append(rows)
        if sum(table.num_rows for table in self._held) >= _ROWS_HELD:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[int, bytes]]:
        """Yield all rows held, as (shard, table)."""
        if self._held:
            rows = pa.concat_tables(self._held)
            self._held = []
            yield from ipc_by_shard(rows, self._shard_of(rows), self._shards)


def ipc_by_shard(rows: pa.Table, shard_of: np.ndarray, shards: int) -> Iterator[tuple[int, bytes]]:
    """Yield each shard that has rows, with its serialised table.

    Args:
        rows: N rows.
        shard_of: (N,), each below `shards`.
        shards: the number of shards.
    """
    order = np.argsort(shard_of, kind="stable")
    ends = np.searchsorted(shard_of[order], np.arange(shards + 1))
    rows = rows.take(pa.array(order)).combine_chunks()
    for shard, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
        if end > start:
            yield shard, to_ipc(rows.slice(start, end - start))


class Spill(beam.PTransform):
    """Turns (shard, table) into (shard, spilled table), to be grouped next.

    Runners that do not shuffle in memory get the tables as they are.

    Args:
        folder: the folder of the files. The caller has to remove it.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def expand(self, tables: beam.PCollection) -> beam.PCollection:
        """Write files if the runner shuffles in memory."""
        if tables.pipeline.options.view_as(StandardOptions).runner in _RUNNERS_IN_MEMORY:
            return tables | beam.ParDo(_Spill(self._folder))
        return tables


class _Spill(beam.DoFn):
    """Writes one file a bundle; a bundle that is tried again gets another file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._file: Any = None

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, SpilledTable]]:
        import tensorflow as tf

        shard, table = element
        if self._file is None:
            tf.io.gfile.makedirs(self._folder)
            self._path = FileSystems.join(self._folder, f"tables-{uuid.uuid4().hex}")
            self._file, self._offset = tf.io.gfile.GFile(self._path, "wb"), 0
        self._file.write(table)
        yield shard, SpilledTable(self._path, self._offset, len(table))
        self._offset += len(table)

    def finish_bundle(self) -> None:
        if self._file is not None:
            self._file.close()

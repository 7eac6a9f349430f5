"""Arrow tables as the elements that travel through Beam."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

# Beam handles few large elements far faster than many small ones.
_ROWS_HELD = 65_536


class StoredPack(NamedTuple):
    """A packed table in a file (see `pack_store`)."""

    path: str
    offset: int
    size_bytes: int

    def read(self) -> bytes:
        """The packed table."""
        import tensorflow as tf

        with tf.io.gfile.GFile(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size_bytes)


def packed(rows: pa.Table) -> bytes:
    """A table as a compressed Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def unpacked(packs: Iterable[bytes | StoredPack]) -> pa.Table:
    """The rows of packed tables, of which there is at least one; null in columns that a table does not have."""
    tables = (
        pa.ipc.open_stream(pack if isinstance(pack, bytes) else pack.read()).read_all()
        for pack in packs
    )
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


class Packer:
    """Gathers rows and packs them by shard.

    Args:
        shard_of: gives the shard of each row of a table, (N,).
        shards: how many there are.
    """

    def __init__(self, shard_of: Callable[[pa.Table], np.ndarray], shards: int) -> None:
        self._shard_of = shard_of
        self._shards = shards
        self._held: list[pa.Table] = []

    def add(self, rows: pa.Table) -> Iterator[tuple[int, bytes]]:
        """Takes rows; gives (shard, packed rows) of them and earlier ones once there are many."""
        self._held.append(rows)
        if sum(table.num_rows for table in self._held) >= _ROWS_HELD:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """Gives what is held."""
        if self._held:
            rows = pa.concat_tables(self._held)
            self._held = []
            yield from packed_by_shard(rows, self._shard_of(rows), self._shards)


def packed_by_shard(
    rows: pa.Table, shard_of: np.ndarray, shards: int
) -> Iterator[tuple[int, bytes]]:
    """The rows of each shard that has some, packed.

    Args:
        rows: N of them.
        shard_of: (N,), each below `shards`.
        shards: how many there are.
    """
    order = np.argsort(shard_of, kind="stable")
    ends = np.searchsorted(shard_of[order], np.arange(shards + 1))
    rows = rows.take(pa.array(order)).combine_chunks()
    for shard, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
        if end > start:
            yield shard, packed(rows.slice(start, end - start))

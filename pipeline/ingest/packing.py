"""Arrow tables as the elements that travel through Beam."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa


def packed(rows: pa.Table) -> bytes:
    """A table as a compressed Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def unpacked(packs: Iterable[bytes]) -> pa.Table:
    """The rows of packed tables of one schema, of which there is at least one."""
    return pa.concat_tables(pa.ipc.open_stream(pack).read_all() for pack in packs).combine_chunks()

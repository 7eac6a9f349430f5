"""The state that ingestion leaves: compact rows of each history, and their files.

`feature_spec.artifacts.history_state` describes the files. No later exposure has a cutoff before
the horizon, so rows that became known before it may be joined where every later cutoff, and every
begin of a window, has them on one side.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from feature_spec.artifacts.history_state import (
    BEFORE_ALL,
    EVENT_TIME,
    KEY,
    KNOWN,
    STATE_FILE,
    TIME,
    VALUE,
    HistoryState,
)
from feature_spec.histories.histories import HistoryCount, HistorySequence
from feature_spec.histories.history_values import window_begin_us, window_step_s
from pipeline.ingest.examples.history_columns import ROW
from pipeline.ingest.histories.history_rows import (
    CUTOFF,
    NOT_ASKED,
    SHARD,
    entry_timeline,
    increments_of,
    parts_of,
)
from pipeline.ingest.histories.timeline import text_ranks
from pipeline.ingest.settings.ingest_config import IngestSettings

_READ_ROWS = 1 << 16


def compact_counts(
    rows: pa.Table, count: HistoryCount, horizon_us: int, settings: IngestSettings
) -> pa.Table:
    """Return what later exposures may see of a count, a row for each key and time.

    Args:
        rows: all rows of some keys (see `history_rows`), or several tables of a state.
        count: the count.
        horizon_us: the cutoff before which no later exposure has one.
        settings: the spec's rules.
    """
    times = rows.column(TIME).to_numpy()
    before = times < horizon_us
    if count.windows_s:
        horizon = np.array([horizon_us], np.int64)
        least = min(int(window_begin_us(horizon, window)[0]) for window in count.windows_s)
        step_us = min(map(window_step_s, count.windows_s)) * 1_000_000
        times = np.where(before, times // step_us * step_us, times)
        rows = rows.set_column(rows.column_names.index(TIME), TIME, pa.array(times))
        rows = rows.filter(pa.array(times >= least))
    else:
        times = np.where(before, BEFORE_ALL, times)
        rows = rows.set_column(rows.column_names.index(TIME), TIME, pa.array(times))
    increments = increments_of(count, settings)
    sums = rows.group_by([KEY, TIME]).aggregate([(name, "sum") for name in increments])
    compact = pa.table(
        {
            KEY: sums.column(KEY),
            TIME: sums.column(TIME),
            **{name: sums.column(f"{name}_sum") for name in increments},
        }
    )
    return compact.sort_by([(KEY, "ascending"), (TIME, "ascending")])


def compact_sequence(rows: pa.Table, sequence: HistorySequence, horizon_us: int) -> pa.Table:
    """Return the entries of a sequence that later exposures may see, the oldest of a key first.

    These are the last `max_length` of a key before the horizon, and all after it. Arguments are as
    of `compact_counts`.
    """
    rows = rows.select([KEY, KNOWN, EVENT_TIME, *(VALUE + part for part in parts_of(sequence))])
    rows = rows.filter(rows.column(KNOWN).is_valid()).combine_chunks()
    keys = text_ranks(rows.column(KEY).combine_chunks())
    known = rows.column(KNOWN).to_numpy()
    order = entry_timeline(rows, keys, sequence).order
    rows, keys, known = rows.take(pa.array(order)), keys[order], known[order]
    # A key's entries before the horizon end where its later ones begin.
    ends = np.searchsorted(keys, keys, side="right")
    later = np.zeros(len(keys) + 1, np.int64)
    np.cumsum(known >= horizon_us, out=later[1:])
    later_of_key = later[ends] - later[np.searchsorted(keys, keys)]
    from_end = ends - later_of_key - np.arange(len(keys))
    return rows.filter(pa.array(from_end <= sequence.max_length))


def as_history_rows(state: pa.Table) -> pa.Table:
    """Return rows of a state as rows of a history that ask nothing."""
    nothing = pa.array(np.full(state.num_rows, NOT_ASKED, np.int32))
    return (
        state.append_column(CUTOFF, pa.nulls(state.num_rows, pa.int64()).fill_null(0))
        .append_column(SHARD, nothing)
        .append_column(ROW, nothing)
    )


def state_paths(folder: str, kind: str, name: str) -> list[str]:
    """Return the files of a history in the folder of a state.

    Args:
        folder: the folder.
        kind: `COUNTS` or `SEQUENCES`.
        name: the name of the history.
    """
    pattern = FileSystems.join(folder, kind, f"{name}-?????-of-?????.parquet")
    (found,) = FileSystems.match([pattern])
    return sorted(file.path for file in found.metadata_list)


def state_batches(path: str) -> Iterator[pa.Table]:
    """Yield the rows of a file of a state, some at a time."""
    with FileSystems.open(path) as file:
        for batch in pq.ParquetFile(file).iter_batches(_READ_ROWS):
            yield pa.Table.from_batches([batch])


def write_state_file(rows: pa.Table, folder: str, kind: str, name: str, of: str) -> None:
    """Write the rows of some keys of a history; `of` is their part, such as ``00000-of-00004``."""
    with FileSystems.create(FileSystems.join(folder, kind, f"{name}-{of}.parquet")) as file:
        pq.write_table(rows, file, compression="zstd")


def write_state(state: HistoryState, folder: str) -> None:
    """Write the description of a state."""
    with FileSystems.create(FileSystems.join(folder, STATE_FILE)) as file:
        file.write(state.model_dump_json(indent=2).encode())


def read_state(folder: str) -> HistoryState:
    """Read the description of a state."""
    with FileSystems.open(FileSystems.join(folder, STATE_FILE)) as file:
        return HistoryState.model_validate_json(file.read())

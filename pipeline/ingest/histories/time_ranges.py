"""Keys with too many rows for memory, such as a popular item: one range of times after another.

The sum of what became known of a key before a bound, C(bound), is the sum within the range of times
that holds the bound, plus that of all ranges before. A count is C(cutoff) − C(begin of the window).
So each event, and each bound, goes to the range that holds it, and one row a key carries the ranges
before. A sequence needs no more than its last entries of the ranges before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.artifacts.history_state import BEFORE_ALL, EVENT_TIME, KEY, KNOWN, TIME
from feature_spec.histories.histories import HistoryCount, HistorySequence
from feature_spec.histories.history_values import window_begin_us
from pipeline.ingest.examples.history_columns import ROW
from pipeline.ingest.histories.history_rows import CUTOFF, NOT_ASKED, SHARD, increments_of
from pipeline.ingest.histories.point_in_time import fields_of_increments, sequence_features
from pipeline.ingest.histories.state import as_history_rows, compact_counts, compact_sequence
from pipeline.ingest.histories.timeline import Integers, Timeline, sums_between
from pipeline.ingest.settings.ingest_config import IngestSettings

Tables = Callable[[], Iterator[pa.Table]]
_BOUND, _WINDOW = "bound_us", "window"
_OF_CUTOFF = -1
_KINDS = "events", "asked"
_LATEST = 2**63 - 1
_SAMPLED = 16


class CountInRanges:
    """The features and the state of a count, for keys with too many rows for memory.

    Args:
        name: the name of the count.
        count: its settings.
        horizon_us: as of `compact_counts`.
        settings: the spec's rules.

    Attributes:
        state: the state, once all features have been taken.
    """

    def __init__(
        self, name: str, count: HistoryCount, horizon_us: int, settings: IngestSettings
    ) -> None:
        self.state: pa.Table | None = None
        self._count, self._horizon_us, self._settings = count, horizon_us, settings
        self._windows = settings.history_columns[name]
        self._increments = increments_of(count, settings)
        self._carried: pa.Table | None = None

    def features(self, tables: Tables, ranges: int) -> Iterator[pa.Table]:
        """Yield the sums that exposures see, in parts that add up.

        Args:
            tables: gives the tables of all rows of some keys (see `history_rows`), each time anew.
            ranges: the number of ranges of times.
        """
        with tempfile.TemporaryDirectory() as folder:
            stored = _Ranges(folder, _boundaries(tables(), TIME, ranges))
            for rows in tables():
                stored.add("events", rows.select([KEY, TIME, *self._increments]), TIME)
                stored.add("asked", self._asked(rows), _BOUND)
            for number in range(stored.count):
                yield from self._of_range(
                    stored.read("events", number), stored.read("asked", number)
                )

    def _asked(self, rows: pa.Table) -> pa.Table:
        rows = rows.filter(pc.not_equal(rows.column(SHARD), NOT_ASKED)).combine_chunks()
        cutoffs = rows.column(CUTOFF).to_numpy()
        bounds = {_OF_CUTOFF: cutoffs} | {
            place: window_begin_us(cutoffs, window.window_s)
            for place, window in enumerate(self._windows)
            if window.window_s is not None
        }
        parts = [
            pa.table(
                {
                    KEY: rows.column(KEY),
                    _BOUND: of_window,
                    _WINDOW: np.full(rows.num_rows, place, np.int8),
                    SHARD: rows.column(SHARD),
                    ROW: rows.column(ROW),
                }
            )
            for place, of_window in bounds.items()
        ]
        return pa.concat_tables(parts)

    def _of_range(self, events: pa.Table | None, asked: pa.Table | None) -> Iterator[pa.Table]:
        together = [table for table in (self._carried, events) if table is not None]
        if not together:  # nothing is known yet
            together = [_no_events(self._increments)]
        known = pa.concat_tables(together).combine_chunks()
        if asked is not None:
            yield from self._sums(known, asked)
        sums = known.group_by([KEY]).aggregate([(name, "sum") for name in self._increments])
        self._carried = pa.table(
            {
                KEY: sums.column(KEY),
                TIME: np.full(sums.num_rows, BEFORE_ALL, np.int64),
                **{name: sums.column(f"{name}_sum") for name in self._increments},
            }
        )
        if events is not None:
            kept = [events] if self.state is None else [self.state, events]
            self.state = compact_counts(
                pa.concat_tables(kept), self._count, self._horizon_us, self._settings
            )

    def _sums(self, known: pa.Table, asked: pa.Table) -> Iterator[pa.Table]:
        known_keys, asked_keys = _numbers(known, asked)
        timeline = Timeline(known_keys, known.column(TIME).to_numpy())
        begins = timeline.begins(asked_keys)
        ends = timeline.ends(asked_keys, asked.column(_BOUND).to_numpy())
        window_of = asked.column(_WINDOW).to_numpy()
        places = {place: np.flatnonzero(window_of == place) for place in np.unique(window_of)}
        columns: dict[int, dict[str, Any]] = {
            place: {name: asked.column(name).to_numpy()[rows] for name in (SHARD, ROW)}
            for place, rows in places.items()
        }
        for increment, fields in fields_of_increments(self._windows).items():
            increments = known.column(increment).to_numpy()[timeline.order]
            sums = sums_between(increments, begins, ends)
            for place, rows in places.items():
                if place == _OF_CUTOFF:
                    columns[place] |= dict.fromkeys(fields, sums[rows])
                else:
                    columns[place][fields[place]] = -sums[rows]
        yield from (pa.table(of_place) for of_place in columns.values())


class SequenceInRanges:
    """The features and the state of a sequence, for keys with too many rows for memory.

    Args:
        name: the name of the sequence.
        sequence: its settings.
        horizon_us: as of `compact_counts`.

    Attributes:
        state: the state, once all features have been taken.
    """

    def __init__(self, name: str, sequence: HistorySequence, horizon_us: int) -> None:
        self.state: pa.Table | None = None
        self._name, self._sequence, self._horizon_us = name, sequence, horizon_us
        self._carried: pa.Table | None = None

    def features(self, tables: Tables, ranges: int) -> Iterator[pa.Table]:
        """Yield the lists that exposures see; arguments are as of `CountInRanges.features`."""
        with tempfile.TemporaryDirectory() as folder:
            stored = _Ranges(folder, _boundaries(tables(), EVENT_TIME, ranges))
            for rows in tables():
                entries = rows.filter(rows.column(KNOWN).is_valid())
                nobody = pa.array(np.full(entries.num_rows, NOT_ASKED, np.int32))
                place = entries.column_names.index(SHARD)
                stored.add("events", entries.set_column(place, SHARD, nobody), KNOWN)
                asked = rows.filter(pc.not_equal(rows.column(SHARD), NOT_ASKED))
                nothing = pa.nulls(asked.num_rows, pa.int64())
                place = asked.column_names.index(KNOWN)
                stored.add("asked", asked.set_column(place, KNOWN, nothing), CUTOFF)
            for number in range(stored.count):
                yield from self._of_range(
                    stored.read("events", number), stored.read("asked", number)
                )

    def _of_range(self, entries: pa.Table | None, asked: pa.Table | None) -> Iterator[pa.Table]:
        known = [table for table in (self._carried, entries) if table is not None]
        if asked is not None:
            rows = pa.concat_tables([*known, asked], promote_options="default").combine_chunks()
            yield from sequence_features(self._name, self._sequence, rows)
        if entries is not None:
            together = pa.concat_tables(known, promote_options="default")
            last = compact_sequence(together, self._sequence, _LATEST)
            self._carried = as_history_rows(last)
            kept = [entries] if self.state is None else [as_history_rows(self.state), entries]
            self.state = compact_sequence(
                pa.concat_tables(kept, promote_options="default"),
                self._sequence,
                self._horizon_us,
            )


class _Ranges:
    """Rows in files of this machine, by ranges of times.

    Args:
        folder: a folder for the files.
        boundaries: where ranges but the first begin, ascending.

    Attributes:
        count: the number of ranges.
    """

    def __init__(self, folder: str, boundaries: Integers) -> None:
        self.count = len(boundaries) + 1
        self._folder = Path(folder)
        self._boundaries = boundaries
        self._parts = 0

    def add(self, kind: str, rows: pa.Table, time: str) -> None:
        """Keep rows in the ranges that hold their times."""
        range_of = np.searchsorted(self._boundaries, rows.column(time).to_numpy(), side="right")
        for number in np.unique(range_of).tolist():
            self._parts += 1
            some = rows.filter(pa.array(range_of == number))
            path = self._folder / f"{kind}-{number}-{self._parts:09d}"
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with (
                pa.OSFile(str(path), "wb") as file,
                pa.ipc.new_stream(file, some.schema, options=options) as stream,
            ):
                stream.write_table(some)

    def read(self, kind: str, number: int) -> pa.Table | None:
        """Return the rows of a range, and forget them; None if there are none."""
        tables = []
        for path in sorted(self._folder.glob(f"{kind}-{number}-*")):
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
                tables.append(stream.read_all())
            path.unlink()
        return (
            pa.concat_tables(tables, promote_options="default").combine_chunks() if tables else None
        )


def _boundaries(tables: Iterator[pa.Table], time: str, ranges: int) -> Integers:
    """Return the begins of ranges but the first, such that each holds about as many rows."""
    sampled = [table.column(time).to_numpy()[::_SAMPLED] for table in tables]
    times = np.sort(np.concatenate(sampled))
    return np.unique(times[np.arange(1, ranges) * len(times) // ranges])


def _numbers(known: pa.Table, asked: pa.Table) -> tuple[Integers, Integers]:
    """Return numbers of the keys of two tables, from 0, that equal keys share."""
    keys = pa.concat_arrays([table.column(KEY).combine_chunks() for table in (known, asked)])
    numbers = keys.dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers[: known.num_rows], numbers[known.num_rows :]


def _no_events(increments: list[str]) -> pa.Table:
    columns = {KEY: pa.binary(), TIME: pa.int64(), **dict.fromkeys(increments, pa.int64())}
    return pa.schema(list(columns.items())).empty_table()

"""The rows that histories are computed of: what an exposure adds to each, and what it asks.

| column | type | of | content |
|---|---|---|---|
| `key` | binary | both | the key, as `history_key` makes it |
| `time_us` | int64 | counts | when the row's increments became known |
| `shown`, `seen.<task>`, `sum.<task>` | int64 | counts | increments; sums in `LABEL_UNIT` |
| `known_us` | int64 | sequences | when the row became an entry; null if it is none |
| `event_time_us` | int64 | sequences | time of the exposure |
| `value.<part>` | binary | sequences | values of an entry, empty where missing |
| `cutoff_us` | int64 | both | what became known before it counts for the exposure |
| `shard`, `row` | int32 | both | the place of the exposure; `shard` is -1 if nothing is asked |
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.artifacts.history_state import (
    EVENT_TIME,
    KEY,
    KNOWN,
    SEEN,
    SHOWN,
    SUM,
    TIME,
    VALUE,
)
from feature_spec.histories.histories import Histories, HistoryCount, HistorySequence
from feature_spec.histories.history_fields import (
    FEEDBACK,
    counted_tasks,
    feedback_tasks,
    has_every_label,
)
from feature_spec.histories.history_values import cutoff_us, feedback_token, label_units
from pipeline.ingest.examples.history_columns import ROW
from pipeline.ingest.histories.timeline import Integers, Timeline, text_ranks
from pipeline.ingest.labelling import log_tables
from pipeline.ingest.labelling.labelled_rows import (
    ARRIVAL,
    CHANGE,
    CHANGE_TIME,
    FIELD,
    KEY_OF,
    LABEL,
    WHERE,
)
from pipeline.ingest.settings.ingest_config import IngestSettings

CUTOFF, SHARD = "cutoff_us", "shard"
NOT_ASKED = -1
_Floats = npt.NDArray[np.float64]
_EMPTY = pa.scalar(b"", pa.binary())
_NOTHING = pa.scalar(b"", pa.binary())


def increments_of(count: HistoryCount, settings: IngestSettings) -> list[str]:
    """Return the columns that a count adds up."""
    tasks = counted_tasks(count, settings.tasks)
    partly = [task for task in tasks if not has_every_label(settings.tasks[task])]
    return [SHOWN, *(SEEN + task for task in partly), *(SUM + task for task in tasks)]


def parts_of(sequence: HistorySequence) -> list[str]:
    """Return the parts of a sequence's entries that are kept: its fields, and the feedback."""
    return [*dict.fromkeys([*sequence.fields, *([FEEDBACK] if sequence.feedback else [])])]


class HistoryRows:
    """Makes the rows of each history from labelled rows.

    Args:
        settings: the spec's rules.
        tables: the rows of each side table, as `read_side_table` returns them.
    """

    def __init__(self, settings: IngestSettings, tables: Mapping[str, pa.Table]) -> None:
        self._settings = settings
        self._tables = tables

    def __call__(
        self, rows: pa.Table, places: Integers, shard: int
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield the name of each history with its rows; exposures without a key have none.

        Args:
            rows: N labelled rows of a shard, none of which is rejected.
            places: the place of each row in the shard, (N,).
            shard: the number of the shard.
        """
        histories = self._settings.histories
        assert histories is not None  # noqa: S101 (the caller has checked it)
        exposures = _Exposures(
            self._settings, histories, self._tables, rows=rows, places=places, shard=shard
        )
        for name, count in histories.counts.items():
            yield name, exposures.of_count(count)
        for name, sequence in histories.sequences.items():
            yield name, exposures.of_sequence(name, sequence)


class _Exposures:
    """Labelled rows, with what several histories need of them."""

    def __init__(
        self,
        settings: IngestSettings,
        histories: Histories,
        tables: Mapping[str, pa.Table],
        *,
        rows: pa.Table,
        places: Integers,
        shard: int,
    ) -> None:
        self._settings, self._tables, self._rows = settings, tables, rows
        self._texts: dict[str, pa.Array] = {}
        self._times = rows.column(names.EVENT_TIME).to_numpy()
        self._known = self._times
        if ARRIVAL in rows.column_names:
            self._known = np.maximum(self._times, rows.column(ARRIVAL).to_numpy())
        self._changes = _Changes(rows)
        self._asked = {
            CUTOFF: cutoff_us(histories, self._times, settings.timezone),
            SHARD: np.full(len(places), shard, np.int32),
            ROW: places.astype(np.int32),
        }

    def of_count(self, count: HistoryCount) -> pa.Table:
        keys = self._keys(count.by)
        columns = {KEY: keys, TIME: self._known, **self._asked}
        later = {
            KEY: keys.take(pa.array(self._changes.owners)),
            TIME: self._changes.times,
            CUTOFF: np.zeros(len(self._changes.owners), np.int64),
            SHARD: np.full(len(self._changes.owners), NOT_ASKED, np.int32),
            ROW: np.full(len(self._changes.owners), NOT_ASKED, np.int32),
        }
        for column in increments_of(count, self._settings):
            if column == SHOWN:
                columns[column] = np.ones(len(self._times), np.int64)
                later[column] = np.zeros(len(self._changes.owners), np.int64)
            else:
                kind, task = (
                    (SUM, column.removeprefix(SUM))
                    if column.startswith(SUM)
                    else (SEEN, column.removeprefix(SEEN))
                )
                first, before, after = (
                    _increments(kind, labels) for labels in self._labels_by_change(task)
                )
                columns[column], later[column] = first, after - before
        table = pa.table(columns)
        if len(self._changes.owners):
            changed = np.any([later[name] != 0 for name in increments_of(count, self._settings)], 0)
            table = pa.concat_tables([table, pa.table(later).filter(pa.array(changed))])
        return _with_key(table.combine_chunks())

    def of_sequence(self, name: str, sequence: HistorySequence) -> pa.Table:
        known, changes = self._entries(name, sequence)
        columns = {
            KEY: self._keys(sequence.by),
            KNOWN: known,
            EVENT_TIME: self._times,
            **self._asked,
        }
        for part in sequence.fields:
            columns[VALUE + part] = self._field_texts(part).fill_null(_EMPTY)
        if sequence.feedback and FEEDBACK not in sequence.fields:
            tasks = feedback_tasks(sequence, self._settings.tasks)
            labels = [self._changes.labels_at(LABEL + task, changes) for task in tasks]
            columns[VALUE + FEEDBACK] = feedback_texts(tasks, labels)
        return _with_key(pa.table(columns))

    def _labels_by_change(self, task: str) -> tuple[_Floats, _Floats, _Floats]:
        """Return a task's labels at the impressions, (N,), and before and after changes, (M,)."""
        changes, name = self._changes, LABEL + task
        first = changes.labels_at(name, changes.first)
        before, after = changes.around(name)
        return first, before, after

    def _entries(self, name: str, sequence: HistorySequence) -> tuple[pa.Array, Integers]:
        """Return when rows became entries, null where never, and their versions then, (N,)."""
        changes = self._changes
        if sequence.where is None:
            return pa.array(self._known), changes.first
        is_entry = self._rows.column(WHERE + name).combine_chunks()
        is_entry = is_entry.to_numpy(zero_copy_only=False).copy()
        known, versions = self._known.copy(), changes.first.copy()
        column = changes.column(WHERE + name)
        if column is not None:
            # From the first version in which the condition holds.
            holds = np.flatnonzero(column)
            owners, firsts = np.unique(changes.all_owners[holds], return_index=True)
            is_entry[changes.with_changes] = False
            is_entry[owners] = True
            versions[owners] = holds[firsts]
            known[owners] = changes.all_times[holds[firsts]]
        return pa.array(known, mask=~is_entry), versions

    def _keys(self, by: Iterable[str]) -> pa.Array:
        return joined_keys([self._field_texts(field) for field in by])

    def _field_texts(self, name: str) -> pa.Array:
        """Return the first value of a field in each row, null where missing."""
        if name not in self._texts:
            table = self._settings.fields[name].table
            if table is None:
                values = self._rows.column(FIELD + name).combine_chunks()
            else:
                keys, values = (
                    self._tables[table].column(column).combine_chunks()
                    for column in (log_tables.KEY, FIELD + name)
                )
                of_rows = self._rows.column(KEY_OF + table).combine_chunks()
                values = values.take(pc.index_in(of_rows, value_set=keys))
            if pa.types.is_list(values.type):
                values = pc.list_element(values, 0)
            self._texts[name] = values
        return self._texts[name]


class _Changes:
    """What becomes known of rows later, by their actions (see `label_changes`); V versions.

    Attributes:
        all_owners, all_times: the row and the time of each version, (V,).
        with_changes: the rows that have versions.
        first: the first version of each row, (N,); -1 where it has none, and is as it is.
        owners, times: the row and the time of each version but the first, (M,).
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        sizes = np.zeros(rows.num_rows, np.int64)
        self.all_times = np.zeros(0, np.int64)
        if CHANGE_TIME in rows.column_names:
            lists = rows.column(CHANGE_TIME).combine_chunks()
            sizes = pc.list_value_length(lists).fill_null(0).to_numpy().astype(np.int64)
            self.all_times = lists.flatten().to_numpy()
        self.all_owners = np.repeat(np.arange(rows.num_rows), sizes)
        self.with_changes = np.flatnonzero(sizes)
        begins = np.cumsum(sizes) - sizes
        self.first = np.where(sizes > 0, begins, -1)
        is_later = np.ones(len(self.all_owners), bool)
        is_later[begins[self.with_changes]] = False
        self._later = np.flatnonzero(is_later)
        self.owners, self.times = self.all_owners[self._later], self.all_times[self._later]

    def column(self, name: str) -> npt.NDArray[Any] | None:
        """Return a label or a condition of all versions, (V,); None if it does not change."""
        if CHANGE + name not in self._rows.column_names:
            return None
        values = self._rows.column(CHANGE + name).combine_chunks().flatten()
        return np.asarray(values.to_numpy(zero_copy_only=False))

    def labels_at(self, name: str, versions: Integers) -> _Floats:
        """Return the labels of rows at one version of each, (N,)."""
        labels = self._rows.column(name).to_numpy()
        column = self.column(name)
        if column is None or not len(column):
            return labels
        return np.where(versions >= 0, column[versions], labels)

    def around(self, name: str) -> tuple[_Floats, _Floats]:
        """Return the labels before and after each version but the first of a row, (M,)."""
        column = self.column(name)
        if column is None:
            labels = self._rows.column(name).to_numpy()[self.owners]
            return labels, labels
        return column[self._later - 1], column[self._later]


def _increments(kind: str, labels: _Floats) -> Integers:
    return label_units(labels) if kind == SUM else (~np.isnan(labels)).astype(np.int64)


def joined_keys(texts: list[pa.Array]) -> pa.Array:
    """Return what `history_key` makes of each row's texts, (N,); null where one is missing."""
    *first, last = texts
    parts = []
    for one in first:
        lengths = pc.binary_length(one).fill_null(0).to_numpy().astype("<u4")
        four = pa.Array.from_buffers(pa.binary(4), len(one), [None, pa.py_buffer(lengths)])
        parts += [four.cast(pa.binary()), one]
    return pc.binary_join_element_wise(*parts, last, _NOTHING) if parts else last


def feedback_texts(tasks: list[str], labels: list[npt.NDArray[np.float64]]) -> pa.Array:
    """Return the tokens of the tasks whose label is above 0, (N,).

    Args:
        tasks: T binary tasks.
        labels: the labels of each, (N,), NaN where there is none.
    """
    codes = np.zeros(len(labels[0]), np.int64)
    for position, of_task in enumerate(labels):
        codes |= (of_task > 0).astype(np.int64) << position
    different, which = np.unique(codes, return_inverse=True)
    tokens = [
        feedback_token(task for position, task in enumerate(tasks) if code >> position & 1)
        for code in different.tolist()
    ]
    return pa.array(tokens, pa.binary()).take(pa.array(which))


def partitions_of(keys: pa.Array, partitions: int) -> npt.NDArray[np.int64]:
    """Return the partition of each key, (N,), by a hash."""
    encoded = keys.dictionary_encode()
    hashes = np.array([zlib.crc32(key) for key in encoded.dictionary.to_pylist()], np.int64)
    return (hashes % partitions)[encoded.indices.to_numpy()]


def entry_timeline(rows: pa.Table, keys: Integers, sequence: HistorySequence) -> Timeline:
    """Return the order of entries; of a key at one time, their content tells it.

    Args:
        rows: E rows that are entries (see `history_rows`).
        keys: the number of each row's key, (E,).
        sequence: the sequence.
    """
    texts = [rows.column(VALUE + part).combine_chunks() for part in parts_of(sequence)]
    ties = [rows.column(EVENT_TIME).to_numpy(), *map(text_ranks, texts)]
    return Timeline(keys, rows.column(KNOWN).to_numpy(), ties)


def _with_key(rows: pa.Table) -> pa.Table:
    keys = rows.column(KEY)
    return rows.filter(keys.is_valid()) if keys.null_count else rows

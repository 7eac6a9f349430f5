"""The features of exposures from the rows of a history (see `history_rows`), key by key."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from feature_spec.histories.histories import HistorySequence
from feature_spec.histories.history_fields import AGE, CountColumns, sequence_columns
from feature_spec.histories.history_values import age_token, window_begin_us
from pipeline.ingest.examples.history_columns import LENGTH, ROW, SEQUENCE
from pipeline.ingest.formats.example_features import (
    features_of_elements,
    joined_features,
    list_elements,
)
from pipeline.ingest.histories.history_rows import (
    CUTOFF,
    NOT_ASKED,
    SHARD,
    entry_timeline,
    parts_of,
)
from pipeline.ingest.histories.timeline import (
    Integers,
    Timeline,
    grouped,
    ranges,
    slices_joined,
    sums_between,
)

_ENTRIES_AT_ONCE, _BYTES_AT_ONCE = 1 << 20, 1 << 27
_NULL = pa.scalar(None, pa.binary())
_AGES = pa.array([age_token(1_000_000 << bits >> 1) for bits in range(65)], pa.binary())


def count_features(rows: pa.Table, windows: list[CountColumns]) -> pa.Table:
    """Return the sums that exposures see of a count, by `shard` and `row`; sums in `LABEL_UNIT`.

    Args:
        rows: all rows of some keys.
        windows: the fields of the count for each window, by which the columns are named.
    """
    keys, times = _key_numbers(rows), rows.column(TIME).to_numpy()
    timeline = Timeline(keys, times)
    asked = np.flatnonzero(rows.column(SHARD).to_numpy() != NOT_ASKED)
    keys, cutoffs = keys[asked], rows.column(CUTOFF).to_numpy()[asked]
    ends = timeline.ends(keys, cutoffs)
    columns = {name: rows.column(name).to_numpy()[asked] for name in (SHARD, ROW)}
    bounds = [
        timeline.begins(keys)
        if window.window_s is None
        else timeline.ends(keys, window_begin_us(cutoffs, window.window_s))
        for window in windows
    ]
    for increment, fields in fields_of_increments(windows).items():
        increments = rows.column(increment).to_numpy()[timeline.order]
        for name, begins in zip(fields, bounds, strict=True):
            columns[name] = sums_between(increments, begins, ends)
    return pa.table(columns)


def fields_of_increments(windows: list[CountColumns]) -> dict[str, list[str]]:
    """Return the fields that add up each increment of a count, one for each window."""
    fields = {SHOWN: [window.shown for window in windows]}
    for task in windows[0].sums:
        if windows[0].seen[task] != windows[0].shown:
            fields[SEEN + task] = [window.seen[task] for window in windows]
        fields[SUM + task] = [window.sums[task] for window in windows]
    return fields


def sequence_features(name: str, sequence: HistorySequence, rows: pa.Table) -> Iterator[pa.Table]:
    """Yield the lists that exposures see of a sequence, by `shard` and `row`, serialised.

    Args:
        name: the name of the sequence.
        sequence: its settings.
        rows: all rows of some keys.
    """
    keys = _key_numbers(rows)
    entries = _Entries(rows, keys, sequence)
    fields = sequence_columns(name, sequence)
    cutoffs, shown_us = (rows.column(column).to_numpy() for column in (CUTOFF, EVENT_TIME))
    asked = np.flatnonzero(rows.column(SHARD).to_numpy() != NOT_ASKED)
    # Neighbours see nearly the same entries, which compresses well.
    asked = asked[np.lexsort((cutoffs[asked], keys[asked]))]
    # Long values make fewer lists at once, far below the 2 GB of an Arrow array.
    entries_at_once = min(_ENTRIES_AT_ONCE, _BYTES_AT_ONCE // entries.mean_bytes)
    at_once = max(entries_at_once // sequence.max_length, 1)
    for start in range(0, len(asked), at_once):
        some = asked[start : start + at_once]
        begins, ends = entries.seen(keys[some], cutoffs[some])
        sizes = ends - begins
        contents = {
            part: slices_joined(elements, begins, ends)
            for part, elements in entries.elements.items()
        }
        if sequence.age and AGE not in contents:
            places = ranges(begins, sizes)
            ages = np.repeat(shown_us[some], sizes) - entries.shown_us[places]
            contents[AGE] = grouped(_age_elements(ages), sizes)
        filled = pa.array(sizes > 0)
        lists = [
            # A list without values is no feature.
            features_of_elements(fields[part], pc.if_else(filled, content, _NULL))
            for part, content in contents.items()
        ]
        yield pa.table(
            {
                SHARD: rows.column(SHARD).to_numpy()[some],
                ROW: rows.column(ROW).to_numpy()[some],
                SEQUENCE + name: joined_features(lists, len(some)),
                LENGTH + name: sizes.astype(np.int32),
            }
        )


class _Entries:
    """The entries of a sequence, key by key, and of one key the newest first.

    Attributes:
        elements: the serialised values of the entries by part, (E,).
        shown_us: the times of their exposures, (E,).
        mean_bytes: the mean size of an entry, at least 1.
    """

    def __init__(self, rows: pa.Table, keys: Integers, sequence: HistorySequence) -> None:
        of_rows = np.flatnonzero(rows.column(KNOWN).is_valid().to_numpy())
        entries = rows.take(pa.array(of_rows))
        parts = {part: entries.column(VALUE + part).combine_chunks() for part in parts_of(sequence)}
        shown_us = entries.column(EVENT_TIME).to_numpy()
        self._timeline = entry_timeline(entries, keys[of_rows], sequence)
        self._max_length = sequence.max_length
        newest_first = self._timeline.order[::-1]
        self.shown_us = shown_us[newest_first]
        self.elements = {
            part: list_elements(values.take(pa.array(newest_first)))
            for part, values in parts.items()
        }

        size = sum(elements.nbytes for elements in self.elements.values())
        self.mean_bytes = max(size // max(len(self.shown_us), 1), 1)

    def seen(self, keys: Integers, cutoffs: Integers) -> tuple[Integers, Integers]:
        """Return the places of the first entry that queries see and after the last one, (Q,)."""
        ends = self._timeline.ends(keys, cutoffs)
        begins = np.maximum(self._timeline.begins(keys), ends - self._max_length)
        count = len(self.shown_us)
        return count - ends, count - begins


def _age_elements(ages_us: Integers) -> pa.Array:
    """Return the serialised ages of entries, (E,), as `age_token` gives them."""
    # The exponent of a float is the number of binary digits of a whole number.
    _, bits = np.frexp(np.maximum(ages_us // 1_000_000, 0).astype(np.float64))
    return list_elements(_AGES).take(pa.array(bits))


def _key_numbers(rows: pa.Table) -> Integers:
    return rows.column(KEY).combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)

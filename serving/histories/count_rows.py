"""Rows of counts: what became known of a key at a time.

A row is its time in microseconds, then the exposures, the exposures with a label by task, and the
sums of labels by task in `LABEL_UNIT`, each as a change. Rows may be in any order, so a change is
appended. Rows whose times no cutoff and no window can tell apart are folded into one.

As bytes, a row has 32 bits for its time in seconds, since steps are whole seconds, and for each
number; the sums of labels that are not whole have two. What 32 bits cannot hold takes more rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feature_spec.artifacts.history_state import BEFORE_ALL
from feature_spec.histories.history_values import LABEL_UNIT, window_begin_us, window_step_s

_INT = np.dtype("<i4")
_LEAST, _MOST = -(2**31), 2**31 - 1
_SECOND_US = 1_000_000
_WHOLE, _LOW_BITS = round(1 / LABEL_UNIT), 24


class RowCodec:
    """Rows of a count as bytes.

    Args:
        counts: the number of counts behind the time: exposures, and those with a label by task.
        whole: whether the labels of each task are 0 and 1.
    """

    def __init__(self, counts: int, whole: Sequence[bool]) -> None:
        self._counts, self._whole = counts, whole
        # The numbers behind the time.
        self.columns = counts + sum(1 if is_whole else 2 for is_whole in whole)

    def encoded(self, rows: np.ndarray) -> bytes:
        """Return rows, int64 (N, width), as bytes. Times before 1970 count as 1970."""
        seconds = np.clip(rows[:, 0] // _SECOND_US, 1, 2**32 - 1) + _LEAST
        times = np.where(rows[:, 0] == BEFORE_ALL, _LEAST, seconds)[:, None]
        numbers = [rows[:, 1 : 1 + self._counts].T]
        for position, is_whole in enumerate(self._whole, start=1 + self._counts):
            units = rows[:, position]
            numbers.append(
                units[None] // _WHOLE
                if is_whole
                else np.stack([units >> _LOW_BITS, units & ((1 << _LOW_BITS) - 1)])
            )
        left, parts = np.concatenate(numbers).T, []
        while len(left):
            part = np.clip(left, _LEAST, _MOST)
            parts.append(np.concatenate([times, part], axis=1).astype(_INT).tobytes())
            more = np.any(left != part, axis=1)
            left, times = (left - part)[more], times[more]
        return b"".join(parts)

    def decoded(self, value: bytes) -> np.ndarray:
        """Return the rows of a value, int64 (N, width)."""
        rows = self.stored(value).T.astype(np.int64)
        times_us = np.where(rows[0] == _LEAST, BEFORE_ALL, (rows[0] - _LEAST) * _SECOND_US)
        return np.concatenate([times_us[None], self.logical(rows[1:])]).T

    def stored(self, value: bytes) -> np.ndarray:
        """Return the rows of a value as they are stored, int32 (N, 1 + columns)."""
        return np.frombuffer(value, _INT).reshape(-1, 1 + self.columns)

    def logical(self, sums: np.ndarray) -> np.ndarray:
        """Return sums of stored numbers, int64 (columns, N), as (width - 1, N)."""
        result = [sums[: self._counts]]
        position = self._counts
        for is_whole in self._whole:
            if is_whole:
                result.append(sums[position][None] * _WHOLE)
            else:
                result.append(((sums[position] << _LOW_BITS) + sums[position + 1])[None])
            position += 1 if is_whole else 2
        return np.concatenate(result)


class CountSums:
    """Sums over the rows of many keys.

    Args:
        values: the values of N keys; None where a key has none.
        codec: the codec of their rows.
    """

    def __init__(self, values: Sequence[bytes | None], codec: RowCodec) -> None:
        self._codec = codec
        present = [value or b"" for value in values]
        rows = codec.stored(b"".join(present))
        # By column, since each is added up for itself; in 64 bits, as NumPy adds fastest.
        self._columns = rows.T.astype(np.int64, order="C")
        sizes = np.fromiter(map(len, present), np.int64, len(present))
        lengths = sizes // (rows.shape[1] * _INT.itemsize)
        self._keys, self._with_rows = len(values), np.flatnonzero(lengths)
        self._begins = (np.cumsum(lengths) - lengths)[self._with_rows]

    def between(self, begin_us: int | None, end_us: int) -> np.ndarray:
        """Return the sums of what became known in [`begin_us`, `end_us`), int64 (width - 1, N)."""
        times, changes = self._columns[0], self._columns[1:]
        sums = np.zeros((len(changes), self._keys), np.int64)
        if len(self._begins):
            counts = times < _stored_time(end_us)
            if begin_us is not None:
                counts &= times >= _stored_time(begin_us)
            if not counts.all():
                changes = changes * counts
            sums[:, self._with_rows] = np.add.reduceat(changes, self._begins, axis=1)
        return self._codec.logical(sums)


def _stored_time(time_us: int) -> int:
    """Return a bound of times, which is a whole second, as rows have it."""
    return min(max(time_us // _SECOND_US, 1), _MOST - _LEAST) + _LEAST


def merged(rows: np.ndarray) -> np.ndarray:
    """Return one row for each time, sorted, without those that change nothing."""
    if not len(rows):
        return rows
    times_us, which = np.unique(rows[:, 0], return_inverse=True)
    sums = np.zeros((len(times_us), rows.shape[1]), np.int64)
    np.add.at(sums, which, rows)
    sums[:, 0] = times_us
    return sums[np.any(sums[:, 1:] != 0, axis=1)]


def folded(rows: np.ndarray, windows_s: Sequence[int], cutoff_us: int) -> np.ndarray:
    """Return as few rows as give the same sums for every cutoff from `cutoff_us` on.

    Args:
        rows: rows of a key, (N, width).
        windows_s: the windows of the count in seconds; none for the whole past.
        cutoff_us: the earliest cutoff that is still asked for.
    """
    times_us = rows[:, 0].copy()
    known = times_us < cutoff_us
    if not windows_s:
        times_us[known] = BEFORE_ALL
    # A window whose begin has passed a row never holds it again. Steps are powers of two, so a
    # row that begins a small one begins or lies within a large one.
    within = ~known
    for window_s in sorted(windows_s, reverse=True):
        begin_us = int(window_begin_us(np.array([cutoff_us]), window_s)[0])
        reached = known & (times_us >= begin_us)
        step_us = window_step_s(window_s) * 1_000_000
        times_us[reached] = rows[reached, 0] // step_us * step_us
        within |= reached
    changed = rows.copy()
    changed[:, 0] = times_us
    return merged(changed[within] if windows_s else changed)

"""Rows of counts: what became known of a key at a time, as 64-bit integers.

A row is its time in microseconds, then the exposures, the exposures with a label by task, and the
sums of labels by task, each as a change. A value is rows in any order, so a change is appended.
Rows whose times no cutoff and no window can tell apart are folded into one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feature_spec.artifacts.history_state import BEFORE_ALL
from feature_spec.histories.history_values import window_begin_us, window_step_s

_INT = np.dtype("<i8")


def encoded(rows: np.ndarray) -> bytes:
    """Return rows, (N, width), as bytes."""
    return rows.astype(_INT, copy=False).tobytes()


def decoded(value: bytes, width: int) -> np.ndarray:
    """Return the rows of a value, (N, width)."""
    return np.frombuffer(value, _INT).reshape(-1, width)


class CountSums:
    """Sums over the rows of many keys.

    Args:
        values: the values of N keys; None where a key has none.
        width: the numbers of a row.
    """

    def __init__(self, values: Sequence[bytes | None], width: int) -> None:
        rows = decoded(b"".join([value for value in values if value]), width)
        # By column, since each is added up for itself.
        self._columns = np.ascontiguousarray(rows.T)
        sizes = np.array([len(value) if value else 0 for value in values], np.int64)
        lengths = sizes // (width * _INT.itemsize)
        self._keys, self._with_rows = len(values), np.flatnonzero(lengths)
        self._begins = (np.cumsum(lengths) - lengths)[self._with_rows]

    def between(self, begin_us: int | None, end_us: int) -> np.ndarray:
        """Return the sums of what became known in [`begin_us`, `end_us`), int64 (width - 1, N)."""
        times_us, changes = self._columns[0], self._columns[1:]
        sums = np.zeros((len(changes), self._keys), np.int64)
        if not len(self._begins):
            return sums
        counts = times_us < end_us
        if begin_us is not None:
            counts &= times_us >= begin_us
        if not counts.all():
            changes = changes * counts
        sums[:, self._with_rows] = np.add.reduceat(changes, self._begins, axis=1)
        return sums


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

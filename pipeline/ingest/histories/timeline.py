"""Point in time, in NumPy: which events of a key lie before a bound, and what they add up to.

E events have a key and a time each; Q queries have a key and a bound each. An event counts for a
query if it has the same key and a time below the bound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]
_NO_CONTENT = pa.py_buffer(b"")


class Timeline:
    """Events in the order of their keys, and of one key in that of their times.

    Args:
        keys: numbers of keys from 0, (E,).
        times_us: microseconds since the Unix epoch, (E,).
        ties: columns that order the events of one key at one time, the first first, each (E,).

    Attributes:
        order: the positions of the events in this order, (E,).
    """

    def __init__(
        self, keys: Integers, times_us: Integers, ties: Sequence[npt.NDArray[np.generic]] = ()
    ) -> None:
        self.order = np.lexsort((*reversed(ties), times_us, keys))
        # Key and time as one number, which can be searched: times by their rank, with room for
        # bounds after the last of them.
        self._times = np.unique(times_us)
        self._span = len(self._times) + 1
        ranks = np.searchsorted(self._times, times_us[self.order])
        self._at = keys[self.order].astype(np.int64) * self._span + ranks

    def begins(self, keys: Integers) -> Integers:
        """Return the place in `order` of the first event of keys, (Q,)."""
        return np.searchsorted(self._at, keys.astype(np.int64) * self._span)

    def ends(self, keys: Integers, bounds_us: Integers) -> Integers:
        """Return the place in `order` after the last event that counts for queries, (Q,)."""
        ranks = np.searchsorted(self._times, bounds_us)
        return np.searchsorted(self._at, keys.astype(np.int64) * self._span + ranks)


def sums_between(increments: Integers, begins: Integers, ends: Integers) -> Integers:
    """Return the sums of increments, (Q,), between places in an order of events.

    Args:
        increments: the increments in this order, (E,).
        begins, ends: as `Timeline` returns them, (Q,).
    """
    sums = np.zeros(len(increments) + 1, np.int64)
    np.cumsum(increments, out=sums[1:])
    return sums[ends] - sums[begins]


def text_ranks(texts: pa.Array) -> Integers:
    """Return numbers, (N,), that order texts as their bytes do; equal texts share one."""
    encoded = texts.dictionary_encode()
    ranks = np.empty(len(encoded.dictionary), np.int64)
    ranks[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks))
    return ranks[encoded.indices.to_numpy()]


def slices_joined(parts: pa.Array, begins: Integers, ends: Integers) -> pa.Array:
    """Return the concatenation of consecutive binaries for each query, (Q,).

    Args:
        parts: binaries, (E,).
        begins, ends: places in `parts`, of the first one and after the last one, (Q,).
    """
    offsets = binary_offsets(parts)
    content = parts.buffers()[2] or _NO_CONTENT
    starts = offsets[begins]
    sizes = (offsets[ends] - starts).astype(np.int32)
    whole = pa.Array.from_buffers(pa.uint8(), len(content), [None, content])
    views = pa.ListViewArray.from_arrays(pa.array(starts), pa.array(sizes), whole)
    joined = views.flatten()
    joined_offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=joined_offsets[1:])
    buffer = joined.buffers()[1]
    return _binaries(joined_offsets, buffer.slice(joined.offset) if buffer else _NO_CONTENT)


def binary_offsets(binaries: pa.Array) -> npt.NDArray[np.int32]:
    """Return where each of N binaries begins in their buffer, and where the last ends, (N + 1,)."""
    offsets = np.frombuffer(binaries.buffers()[1] or b"\0\0\0\0", np.int32)
    return offsets[binaries.offset : binaries.offset + len(binaries) + 1]


def grouped(elements: pa.Array, sizes: Integers) -> pa.Array:
    """Return the concatenation of the first elements, of the next ones and so on, (Q,).

    Args:
        elements: binaries, as many as `sizes` has in all.
        sizes: the number of elements of each query, (Q,).
    """
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    offsets = binary_offsets(elements)
    content = elements.buffers()[2]
    return _binaries(
        offsets[ends] - offsets[0], content.slice(offsets[0]) if content else _NO_CONTENT
    )


def ranges(begins: Integers, sizes: Integers) -> Integers:
    """Return begin, begin + 1, … of each query in one row, Σ sizes numbers."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - ends + sizes, sizes)


def _binaries(offsets: npt.NDArray[np.int32], content: pa.Buffer) -> pa.Array:
    # Offsets begin with 0: Arrow's `if_else` reads beyond the buffer of others.
    return pa.Array.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), content]
    )

"""The entries that two vocabularies have in common, found by sorted hashes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trainer.network.vocabulary import Vocabulary

Indices = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

# The place of a byte in its entry has a factor of its own, up to this many places.
_FACTORS = np.random.default_rng(0).integers(1, 1 << 64, 1 << 12, np.uint64) | np.uint64(1)
# The entries that are hashed at once: few enough for the caches of a processor.
_HASHED = 1 << 14


class Matches(NamedTuple):
    """Entries of the same value in two vocabularies, pair by pair.

    Attributes:
        before: places in the earlier vocabulary, (N,).
        now: places in the later one, (N,), ascending.
    """

    before: Indices
    now: Indices


def match(before: Vocabulary, now: Vocabulary) -> Matches:
    """Pair the equal entries of two vocabularies, in neither of which an entry repeats.

    Entries of equal hash are compared, so that a collision of hashes pairs nothing else.
    """
    known = before.lines()
    hashes = hashes_of(known)
    # An entry of a vocabulary is a row of a table, whose number fits in 32 bits by far.
    order = np.argsort(hashes).astype(np.int32)
    hashes = hashes[order]
    found = []
    for first, lines in now.blocks_of_lines():
        places, rows = _matched(known, hashes, order, lines)
        found.append(Matches(rows, places + first))
    return (
        Matches(
            *(
                np.concatenate([np.zeros(0, np.int64), *column])
                for column in zip(*found, strict=True)
            )
        )
        if found
        else Matches(np.zeros(0, np.int64), np.zeros(0, np.int64))
    )


def _matched(
    known: pa.LargeBinaryArray,
    hashes: Hashes,
    order: npt.NDArray[np.int32],
    lines: pa.LargeBinaryArray,
) -> tuple[Indices, Indices]:
    """Return the places of lines that are known, ascending, and where they are among the known."""
    wanted = hashes_of(lines)
    by_hash = np.argsort(wanted)  # near hashes are near each other in memory
    place = np.empty(len(lines), np.int64)
    place[by_hash] = np.searchsorted(hashes, wanted[by_hash])
    result = np.full(len(lines), -1, np.int64)
    left = np.arange(len(lines))
    while True:
        left = left[place[left] < len(hashes)]
        left = left[hashes[place[left]] == wanted[left]]
        if not left.size:
            matched = np.flatnonzero(result >= 0)
            return matched, result[matched]
        candidates = order[place[left]]
        near = np.argsort(candidates)
        left, candidates = left[near], candidates[near]
        equal = pc.equal(known.take(pa.array(candidates)), lines.take(pa.array(left)))
        is_equal = equal.to_numpy(zero_copy_only=False)
        result[left[is_equal]] = candidates[is_equal]
        left = left[~is_equal]
        place[left] += 1  # the next entry of the same hash


def hashes_of(lines: pa.LargeBinaryArray) -> Hashes:
    """Return a hash of each line, (N,). No line is empty, because each has its end."""
    offsets = np.frombuffer(lines.buffers()[1], np.int64)
    text = np.frombuffer(lines.buffers()[2], np.uint8)
    hashes = np.empty(len(lines), np.uint64)
    for first in range(0, len(lines), _HASHED):
        ends = offsets[first : min(first + _HASHED, len(lines)) + 1]
        starts = (ends[:-1] - ends[0]).astype(np.int32)
        places = np.arange(ends[-1] - ends[0], dtype=np.int32)
        places -= np.repeat(starts, np.diff(ends))
        factors = _FACTORS.take(places, mode="wrap")
        hashes[first : first + len(starts)] = np.add.reduceat(
            text[ends[0] : ends[-1]] * factors, starts
        )
    return hashes

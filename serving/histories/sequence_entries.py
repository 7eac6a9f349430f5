"""Entries of sequences: an exposure that counts in a sequence, as bytes.

An entry is the time from which it is known and its own time, in microseconds, then its texts, each
behind its length in bytes. A missing text is empty. A value is entries in any order.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

_TIMES, _LENGTH = struct.Struct("<qq"), struct.Struct("<I")


class Entry(NamedTuple):
    """An entry; the largest is the newest.

    Attributes:
        known_us: the time from which it is known, in microseconds since the Unix epoch.
        time_us: the time of the exposure.
        texts: the values of the fields, then the feedback, if the sequence has any.
    """

    known_us: int
    time_us: int
    texts: tuple[bytes, ...]


def encoded(entry: Entry) -> bytes:
    """Return an entry as bytes."""
    texts = b"".join(_LENGTH.pack(len(text)) + text for text in entry.texts)
    return _TIMES.pack(entry.known_us, entry.time_us) + texts


def decoded(value: bytes, texts: int) -> list[Entry]:
    """Return the entries of a value, in its order.

    Args:
        value: encoded entries.
        texts: the number of texts of each.
    """
    entries, position = [], 0
    while position < len(value):
        known_us, time_us = _TIMES.unpack_from(value, position)
        position += _TIMES.size
        parts = []
        for _ in range(texts):
            (length,) = _LENGTH.unpack_from(value, position)
            position += _LENGTH.size
            parts.append(value[position : position + length])
            position += length
        entries.append(Entry(known_us, time_us, tuple(parts)))
    return entries


def newest(entries: Sequence[Entry], cutoff_us: int, max_length: int) -> list[Entry]:
    """Return the last entries known before a cutoff, newest first."""
    return sorted([entry for entry in entries if entry.known_us < cutoff_us], reverse=True)[
        :max_length
    ]


def folded(entries: Sequence[Entry], max_length: int, cutoff_us: int) -> list[Entry]:
    """Return the entries that a cutoff from `cutoff_us` on can still ask for."""
    later = [entry for entry in entries if entry.known_us >= cutoff_us]
    return newest(entries, cutoff_us, max_length)[::-1] + later

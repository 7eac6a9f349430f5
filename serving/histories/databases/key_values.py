"""What a history store needs of a database: reads of many keys at once, and changes as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(kw_only=True)
class Transaction:
    """A change of several keys, made as a whole or not at all.

    Attributes:
        expected: the values that keys must have, None for no value; else nothing changes.
        puts: new values by key; None removes the key.
        appends: bytes to append to the value by key.
        fading: new values by key that may be forgotten after `fade_after_s`.
        fade_after_s: seconds; databases that forget by themselves do so.
        largest: texts by key; the larger of the text and the value stays.
    """

    expected: Mapping[bytes, bytes | None] = field(default_factory=dict)
    puts: Mapping[bytes, bytes | None] = field(default_factory=dict)
    appends: Mapping[bytes, bytes] = field(default_factory=dict)
    fading: Mapping[bytes, bytes] = field(default_factory=dict)
    fade_after_s: int = 0
    largest: Mapping[bytes, bytes] = field(default_factory=dict)


class KeyValues(Protocol):
    """A database of keys and values. It may be used by many threads.

    Every method raises HistoryStoreError where the database fails.
    """

    place: str
    forgets: bool

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, all as of one time; None where there is none."""

    def commit(self, transaction: Transaction) -> dict[bytes, int] | None:
        """Make a change as a whole.

        Returns:
            the size of each value with appended bytes; None if a value was not as expected.
        """

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with a prefix and their values, sorted where the database sorts."""

    def close(self) -> None:
        """Release files and connections."""

"""A database in a file of this machine: LMDB, for one writer at a time and many readers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import lmdb

from serving.histories.databases.key_values import Transaction
from serving.histories.store import HistoryStoreError

_ITEMS_AT_ONCE = 1000


class LmdbValues:
    """Keys and values in an LMDB file; other processes may use it at the same time.

    Args:
        folder: the folder of the file; it is made if need be, unless `readonly`.
        max_bytes: the largest size of the file. It takes address space, and no disk until used.
        readonly: whether nothing may be changed.

    Raises:
        HistoryStoreError: there is no such file, or it cannot be used.
    """

    forgets = False

    def __init__(self, folder: Path, *, max_bytes: int, readonly: bool = False) -> None:
        self.place = str(folder)
        self._max_bytes = max_bytes
        with self._errors():
            if not readonly:
                folder.mkdir(parents=True, exist_ok=True)
            elif not (folder / "data.mdb").exists():
                raise HistoryStoreError(
                    f"{folder}: holds no history store; `fulcrum histories publish` and `record` "
                    "make one"
                )
            # Without readahead, a read brings the pages it needs and not their neighbours.
            self._database = lmdb.open(
                str(folder),
                map_size=max_bytes,
                readonly=readonly,
                create=not readonly,
                readahead=False,
                max_readers=1024,
                max_spare_txns=16,
            )

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, all as of one time; None where there is none."""
        with self._errors(), self._database.begin() as reading:
            return list(map(reading.get, keys))

    def commit(self, transaction: Transaction) -> dict[bytes, int] | None:
        """Make a change as a whole; see `KeyValues`."""
        sizes: dict[bytes, int] = {}
        with self._errors(), self._database.begin(write=True) as writing:
            for key, value in transaction.expected.items():
                if writing.get(key) != value:
                    writing.abort()
                    return None
            for key, value in (*transaction.puts.items(), *transaction.fading.items()):
                if value is None:
                    writing.delete(key)
                else:
                    writing.put(key, value)
            for key, value in transaction.appends.items():
                whole = (writing.get(key) or b"") + value
                writing.put(key, whole)
                sizes[key] = len(whole)
            for key, value in transaction.largest.items():
                writing.put(key, max(writing.get(key) or b"", value))
        return sizes

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with a prefix and their values, sorted by key."""
        begin = prefix
        while True:
            # In short transactions, since a long one keeps freed pages from being used again.
            found: list[tuple[bytes, bytes]] = []
            with self._errors(), self._database.begin() as reading, reading.cursor() as cursor:
                more = cursor.set_range(begin)
                while more and cursor.key().startswith(prefix) and len(found) < _ITEMS_AT_ONCE:
                    found.append(cursor.item())
                    more = cursor.next()
            yield from found
            if len(found) < _ITEMS_AT_ONCE:
                return
            begin = found[-1][0] + b"\0"

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError as error:
            raise HistoryStoreError(
                f"{self.place}: full at {self._max_bytes:,} bytes: open it with more max_bytes"
            ) from error
        except (lmdb.Error, OSError) as error:
            raise HistoryStoreError(f"{self.place}: {error}") from error

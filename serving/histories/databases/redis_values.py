"""A database for many hosts: Redis, one server with its replicas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from serving.histories.databases.key_values import Transaction
from serving.histories.store import HistoryStoreError

# Redis runs a script as a whole. KEYS are those of `expected`, `puts`, `fading`, `appends` and
# `largest`; ARGV has their numbers, the seconds after which values fade, then a value for each key.
# "+" stands before a value, "-" for none.
_COMMIT = """
local counts, place = {}, 0
for part = 1, 5 do counts[part] = tonumber(ARGV[part]) end
local function each(part, act)
  for _ = 1, counts[part] do
    place = place + 1
    local value = ARGV[place + 6]
    value = string.sub(value, 1, 1) == "+" and string.sub(value, 2)
    if act(KEYS[place], value) then return true end
  end
end
if each(1, function(key, value) return redis.call("GET", key) ~= value end) then return false end
each(2, function(key, value)
  if value then redis.call("SET", key, value) else redis.call("DEL", key) end
end)
each(3, function(key, value) redis.call("SET", key, value, "EX", ARGV[6]) end)
local sizes = {}
each(4, function(key, value) sizes[#sizes + 1] = redis.call("APPEND", key, value) end)
each(5, function(key, value)
  local now = redis.call("GET", key)
  if not now or now < value then redis.call("SET", key, value) end
end)
return sizes
"""
_KEYS_AT_ONCE = 1000


class RedisValues:
    """Keys and values in Redis.

    Args:
        url: the address of the server, such as ``redis://host:6379/0``.
        namespace: the begin of all keys, so that several stores share a server.
        timeout_s: seconds after which the server counts as down.

    Raises:
        HistoryStoreError: the server cannot be reached.
    """

    forgets = True

    def __init__(self, url: str, *, namespace: str, timeout_s: float) -> None:
        self._namespace = namespace.encode() + b":"
        with self._errors_of(f"{url} ({namespace})"):
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
            )
            # The address without its password.
            where = self._client.connection_pool.connection_kwargs
            self.place = (
                f"redis://{where.get('host', where.get('path', ''))}:{where.get('port', '')}"
                f"/{where.get('db', 0)} ({namespace})"
            )
            self._run_commit = self._client.register_script(_COMMIT)

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of keys, all as of one time; None where there is none."""
        with self._errors():
            values: list[bytes | None] = self._client.mget([self._namespace + key for key in keys])
        return values

    def commit(self, transaction: Transaction) -> dict[bytes, int] | None:
        """Make a change as a whole; see `KeyValues`."""
        parts = (
            transaction.expected,
            transaction.puts,
            transaction.fading,
            transaction.appends,
            transaction.largest,
        )
        keys = [self._namespace + key for part in parts for key in part]
        values = [
            b"-" if value is None else b"+" + value for part in parts for value in part.values()
        ]
        arguments: list[int | bytes] = [*map(len, parts), max(transaction.fade_after_s, 1), *values]
        with self._errors():
            sizes = self._run_commit(keys, arguments)
        return None if sizes is None else dict(zip(transaction.appends, sizes, strict=True))

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with a prefix and their values, in any order."""
        pattern = b"".join(
            b"\\" + bytes([byte]) if byte in b"*?[]^-\\" else bytes([byte])
            for byte in self._namespace + prefix
        )
        with self._errors():
            keys: list[bytes] = []
            for key in self._client.scan_iter(match=pattern + b"*", count=_KEYS_AT_ONCE):
                keys.append(key[len(self._namespace) :])
                if len(keys) == _KEYS_AT_ONCE:
                    yield from self._present(keys)
                    keys = []
            yield from self._present(keys)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _present(self, keys: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        values = self.read(keys) if keys else []
        return ((key, value) for key, value in zip(keys, values, strict=True) if value is not None)

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return self._errors_of(self.place)

    @staticmethod
    @contextlib.contextmanager
    def _errors_of(place: str) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, ValueError, OSError) as error:
            raise HistoryStoreError(f"{place}: {error}") from error

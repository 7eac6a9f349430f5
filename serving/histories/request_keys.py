"""The keys of histories that a request asks for, read as ingestion reads those of logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feature_spec.fields.field import MultiCategoricalField
from feature_spec.histories.history_values import history_key
from feature_spec.logs.log_values import list_reader, text_reader
from feature_spec.spec import FeatureSpec
from serving.histories.layout import LONGEST_KEY, StoredCount, StoredSequence, shortened

_REMEMBERED_VALUES = 1 << 16
Texts = dict[str, list[bytes | None]]


class RequestKeys:
    """Makes keys of the fields of requests.

    Args:
        spec: a spec with histories.
        histories: the counts and sequences to make keys for.
    """

    def __init__(
        self, spec: FeatureSpec, histories: Sequence[StoredCount | StoredSequence]
    ) -> None:
        missing = frozenset(spec.logs.missing_values)
        self._sides = {name: spec.fields[name].side for part in histories for name in part.by}
        self._readers: dict[str, Callable[[list[Any]], list[bytes | None]]] = {}
        for name in self._sides:
            field = spec.fields[name]
            if isinstance(field, MultiCategoricalField):
                self._readers[name] = _first_of(list_reader(name, field.separator, missing))
            else:
                self._readers[name] = _Remembered(text_reader(name, missing)).all_of

    def texts(
        self,
        user: Mapping[str, Any],
        context: Mapping[str, Any],
        candidates: Sequence[Mapping[str, Any]],
    ) -> Texts:
        """Return the texts of each field of a key: one of the request, one for each candidate.

        Raises:
            ValueError: a value is not valid.
        """
        rows: dict[str, Sequence[Mapping[str, Any]]] = {
            "user": [user],
            "context": [context],
            "item": candidates,
        }
        return {
            name: read([row.get(name) for row in rows[self._sides[name]]])
            for name, read in self._readers.items()
        }

    def keys(
        self, history: StoredCount | StoredSequence, prefix: bytes, texts: Texts
    ) -> tuple[list[bytes | None], list[int] | None]:
        """Return the different keys of a history, and which of them each candidate has.

        A candidate without a key has the key None. Of a history of the request alone, there is one
        key, and no list.
        """
        head = prefix + bytes([history.number])
        of_request = {name: texts[name][0] for name in history.by if self._sides[name] != "item"}
        of_items = [texts[name] for name in history.by if self._sides[name] == "item"]
        *first, last = history.by
        if None in of_request.values():
            return [None], [0] * len(of_items[0]) if of_items else None
        if not of_items or (len(of_items) == 1 and last not in of_request):
            # The usual ways: all keys begin alike.
            different, which = _different(texts[last])
            same = b"".join(_with_length(of_request[name] or b"") for name in first)
            begin, longest = head + same, LONGEST_KEY - len(same)
            keys = [
                None
                if text is None
                else begin + text
                if len(text) <= longest
                else head + shortened(same + text)
                for text in different
            ]
            return keys, which if of_items else None
        count = len(of_items[0])
        columns = [texts[name] * (count if name in of_request else 1) for name in history.by]
        rows, which = _different(list(zip(*columns, strict=True)))
        keys = [None if None in row else head + shortened(history_key(row)) for row in rows]
        return keys, which


def _different(values: list[Any]) -> tuple[list[Any], list[int]]:
    """Return the different values, and the position of each value among them."""
    positions: dict[Any, Any] = dict.fromkeys(values)
    different = list(positions)
    positions.update(zip(different, range(len(different)), strict=True))
    return different, list(map(positions.__getitem__, values))


def _with_length(text: bytes) -> bytes:
    """Return a text that is not the last of a key, as `history_key` has it."""
    return history_key([text, b""])


def _first_of(
    read: Callable[[Any], tuple[bytes, ...] | None],
) -> Callable[[list[Any]], list[bytes | None]]:
    def first(values: list[Any]) -> list[bytes | None]:
        return [texts[0] if texts else None for texts in map(read, values)]

    return first


class _Remembered(dict[str, bytes | None]):
    """What texts are read as, a repeated one once."""

    def __init__(self, read: Callable[[Any], bytes | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: str) -> bytes | None:
        if len(self) >= _REMEMBERED_VALUES:
            self.clear()
        text = self[value] = self._read(value)
        return text

    def all_of(self, values: list[Any]) -> list[bytes | None]:
        """Return what values are read as."""
        if set(map(type, values)) == {str}:
            return list(map(self.__getitem__, values))
        return list(map(self._read, values))

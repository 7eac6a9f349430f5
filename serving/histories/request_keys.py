"""The keys of histories that a request asks for, read as ingestion reads those of logs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from feature_spec.fields.field import MultiCategoricalField
from feature_spec.logs.log_values import list_reader, text_reader
from feature_spec.spec import FeatureSpec
from serving.histories.layout import StoredCount, StoredSequence, shortened

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
        self._readers: dict[str, Callable[[Any], bytes | None]] = {}
        for name in self._sides:
            field = spec.fields[name]
            if isinstance(field, MultiCategoricalField):
                self._readers[name] = _first_of(list_reader(name, field.separator, missing))
            else:
                self._readers[name] = _remembering(text_reader(name, missing))

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
            name: [read(row.get(name)) for row in rows[self._sides[name]]]
            for name, read in self._readers.items()
        }

    def keys(
        self, history: StoredCount | StoredSequence, prefix: bytes, texts: Texts
    ) -> list[bytes | None]:
        """Return the keys of a history: one, or one for each candidate; None where it has none."""
        head = prefix + bytes([history.number])
        of_request = {name: texts[name][0] for name in history.by if self._sides[name] != "item"}
        of_items = [name for name in history.by if self._sides[name] == "item"]
        if None in of_request.values():
            return [None] * (len(texts[of_items[0]]) if of_items else 1)
        parts: list[Iterable[bytes | None]] = []
        for position, name in enumerate(history.by):
            is_last = position == len(history.by) - 1
            if name in of_request:
                text = of_request[name] or b""
                parts.append(itertools.repeat(text if is_last else _with_length(text)))
            else:
                parts.append(texts[name] if is_last else [_with_length(t) for t in texts[name]])
        if not of_items:
            return [head + shortened(b"".join(next(iter(part)) or b"" for part in parts))]
        return [
            None if None in row else head + shortened(b"".join(row))
            for row in zip(*parts, strict=False)
        ]


def _with_length(text: bytes | None) -> Any:
    return None if text is None else len(text).to_bytes(4, "little") + text


def _first_of(
    read: Callable[[Any], tuple[bytes, ...] | None],
) -> Callable[[Any], bytes | None]:
    def first(value: Any) -> bytes | None:
        texts = read(value)
        return texts[0] if texts else None

    return first


def _remembering(read: Callable[[Any], bytes | None]) -> Callable[[Any], bytes | None]:
    """Return a reader that reads a repeated text once."""
    known: dict[str, bytes | None] = {}

    def remembered(value: Any) -> bytes | None:
        if type(value) is not str:
            return read(value)
        try:
            return known[value]
        except KeyError:
            if len(known) >= _REMEMBERED_VALUES:
                known.clear()
            text = known[value] = read(value)
            return text

    return remembered

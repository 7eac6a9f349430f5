"""What a history store holds, whatever the order in which it was written."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np

from feature_spec.spec import FeatureSpec
from serving.histories import layout, sequence_entries
from serving.histories.following.position import StreamPosition
from serving.histories.keyed_store import KeyedHistoryStore
from serving.histories.opening import open_store


def stored_content(address: str, spec: FeatureSpec, **settings: Any) -> dict[str, Any]:
    """Return counts by key and time, entries by key, ids, events, and how far a stream was read."""
    store = open_store(address, spec, exact_for_s=None, **settings)
    try:
        return _content(store)
    finally:
        store.close()


def _content(store: KeyedHistoryStore) -> dict[str, Any]:
    generation = store.description.generation

    def items(kind: bytes) -> dict[bytes, bytes]:
        return dict(store.database.items(layout.prefix(kind, generation)))

    place = len(layout.prefix(layout.COUNT, 0))
    rows: dict[tuple[bytes, int], Any] = {}
    for key, value in items(layout.COUNT).items():
        for row in store.counts[key[place]].codec.decoded(value):
            at = (key, int(row[0]))
            rows[at] = rows.get(at, np.zeros_like(row[1:])) + row[1:]
    entries = {
        key: collections.Counter(
            sequence_entries.decoded(value, store.sequences[key[place]].texts)
        )
        for key, value in items(layout.SEQUENCE).items()
    }  # fmt: skip
    raw = store.stream_position()
    position = None
    if raw is not None:
        dumped = StreamPosition.decoded(raw, store.place).model_dump()
        position = {name: dumped[name] for name in dumped.keys() - {"compacted_s", "cluster"}}
    return {
        "rows": {at: row.tolist() for at, row in rows.items()},
        "entries": entries,
        "ids": items(layout.ID),
        "events": items(layout.EVENT),
        "groups": items(layout.JOIN),
        "newest": items(layout.NEWEST),
        "position": position,
    }

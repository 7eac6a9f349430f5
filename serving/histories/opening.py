"""History stores by address, as the command line names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feature_spec.names import is_uri
from feature_spec.spec import FeatureSpec
from serving.histories.keyed_store import KeyedHistoryStore


def open_store(address: str, spec: FeatureSpec, **settings: Any) -> KeyedHistoryStore:
    """Open a store.

    Args:
        address: ``redis://…`` or ``rediss://…``, or the folder of an LMDB file.
        spec: the spec of the model.
        settings: settings of the store.

    Raises:
        HistoryStoreError: the store cannot be used.
    """
    if is_uri(address):
        from serving.histories.redis_store import RedisHistoryStore

        settings.pop("readonly", None)
        return RedisHistoryStore(address, spec, **settings)
    from serving.histories.lmdb_store import LmdbHistoryStore

    return LmdbHistoryStore(Path(address), spec, **settings)

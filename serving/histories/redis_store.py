"""The history store for many hosts: a Redis server that all of them ask."""

from __future__ import annotations

from typing import Any

from feature_spec.spec import FeatureSpec
from serving.histories.databases.redis_values import RedisValues
from serving.histories.keyed_store import KeyedHistoryStore


class RedisHistoryStore(KeyedHistoryStore):
    """A history store in Redis: one server with its replicas, not a cluster.

    Args:
        url: the address of the server, such as ``redis://host:6379/0``.
        spec: the spec of the model.
        namespace: the begin of all keys; by default ``fulcrum:`` and the name of the spec.
        timeout_s: seconds after which the server counts as down.
        settings: settings of `KeyedHistoryStore`.

    Raises:
        HistoryStoreError: the store is of another spec, or the server cannot be used.
    """

    def __init__(
        self,
        url: str,
        spec: FeatureSpec,
        *,
        namespace: str | None = None,
        timeout_s: float = 1.0,
        **settings: Any,
    ) -> None:
        database = RedisValues(
            url, namespace=namespace or f"fulcrum:{spec.name}", timeout_s=timeout_s
        )
        super().__init__(spec, database, **settings)

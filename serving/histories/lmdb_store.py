"""The embedded history store: a file of this machine, in the process that asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feature_spec.spec import FeatureSpec
from serving.histories.databases.lmdb_values import LmdbValues
from serving.histories.keyed_store import KeyedHistoryStore


class LmdbHistoryStore(KeyedHistoryStore):
    """A history store in an LMDB file: no server, one writer at a time, readers in any process.

    Open a folder once in each process, and not before a fork.

    Args:
        folder: the folder of the file; it is made if need be, unless `readonly`.
        spec: the spec of the model.
        readonly: whether the store only answers.
        max_bytes: the largest size of the file. It takes address space, and no disk until used.
        settings: settings of `KeyedHistoryStore`.

    Raises:
        HistoryStoreError: the file is of another spec, or cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        spec: FeatureSpec,
        *,
        readonly: bool = False,
        max_bytes: int = 64 * 1024**3,
        **settings: Any,
    ) -> None:
        super().__init__(
            spec, LmdbValues(folder, max_bytes=max_bytes, readonly=readonly), **settings
        )

"""A published state: the files that ingestion ends with, as the values of a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from feature_spec.artifacts.history_state import (
    BEFORE_ALL,
    COUNTS,
    EVENT_TIME,
    EXPORTED_HISTORIES,
    HISTORIES,
    KEY,
    KNOWN,
    SEEN,
    SEQUENCES,
    SHOWN,
    STATE_FILE,
    SUM,
    TIME,
    VALUE,
    HistoryState,
)
from feature_spec.histories.history_fields import FEEDBACK
from feature_spec.names import SERVING_MODEL, artifacts_place, is_uri
from serving.histories import layout, sequence_entries
from serving.histories.description import check_digest
from serving.histories.keyed_store import KeyedHistoryStore
from serving.histories.layout import StoredCount, StoredSequence
from serving.histories.sequence_entries import Entry
from serving.histories.store import HistoryStoreError, RecordCounts

if TYPE_CHECKING:
    import pyarrow as pa


def state_folder(place: Path) -> Path:
    """Return the folder of a state.

    Args:
        place: that folder; the folder of a model or of its versions, of which the newest counts; or
            a pipeline root, of which the newest pushed model or else the newest ingestion counts.

    Raises:
        HistoryStoreError: there is no state.
    """
    artifacts = artifacts_place(place)
    patterns = [STATE_FILE, f"{EXPORTED_HISTORIES}/{STATE_FILE}"]
    patterns += [f"{HISTORIES}/{STATE_FILE}", f"*/{EXPORTED_HISTORIES}/{STATE_FILE}"]
    patterns.append(f"{SERVING_MODEL}/*/{EXPORTED_HISTORIES}/{STATE_FILE}")
    found = (sorted(place.glob(pattern), key=_version_of) for pattern in patterns)
    newest = next((files[-1] for files in found if files), None)
    if newest is None and not is_uri(artifacts):
        pattern = f"*/examples/*/{HISTORIES}/{STATE_FILE}"
        newest = max(Path(artifacts).glob(pattern), key=_version_of, default=None)
    if newest is None:
        raise HistoryStoreError(
            f"{place}: no state of histories: there is no {' and no '.join(patterns)}, nor one in "
            f"{artifacts}; give the folder of a model, of a run or of the state"
        )
    return newest.parent


def _version_of(file: Path) -> tuple[int, str]:
    """Return the number of the version or execution that a file is of."""
    return max([int(part) for part in file.parts if part.isdecimal()], default=-1), str(file)


def read_description(folder: Path) -> HistoryState:
    """Read the description of a state.

    Raises:
        HistoryStoreError: it cannot be read.
    """
    file = folder / STATE_FILE
    try:
        return HistoryState.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise HistoryStoreError(f"{file}: no description of a state: {error}") from error


def publish(store: KeyedHistoryStore, folder: Path) -> tuple[HistoryState, RecordCounts]:
    """Put a state in the place of what a store knows; keep the events that are later.

    Args:
        store: the store.
        folder: the folder of the state.

    Returns:
        the description of the state, and the later events.

    Raises:
        HistoryStoreError: the state is of another spec, or cannot be read.
    """
    state = read_description(folder)
    check_digest(store.spec, state, str(folder))
    later = store.replace(_values(store, folder), state.until_us, state.exposures)
    return state, later


def _values(store: KeyedHistoryStore, folder: Path) -> Iterator[tuple[bytes, bytes]]:
    for count in store.counts:
        columns = [TIME, SHOWN, *(SEEN + task for task in count.with_seen)]
        columns += [SUM + task for task in count.tasks]
        for file in _files(folder / COUNTS, count.name):
            table = _table(file, [KEY, *columns])
            known_us = table.column(TIME).to_numpy()
            times_us = store.row_times_us(count, np.maximum(known_us, 0))
            times_us[known_us == BEFORE_ALL] = BEFORE_ALL
            yield from _count_values(count, table, columns, times_us)
    for sequence in store.sequences:
        parts = [*sequence.fields, *([FEEDBACK] if sequence.feedback else [])]
        columns = [KNOWN, EVENT_TIME, *(VALUE + part for part in parts)]
        for file in _files(folder / SEQUENCES, sequence.name):
            yield from _sequence_values(sequence, _table(file, [KEY, *columns]), columns)


def _files(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}-*.parquet"))


def _table(file: Path, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(file, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise HistoryStoreError(f"{file}: {error}") from error


def _ranges(table: pa.Table) -> Iterator[tuple[bytes, int, int]]:
    """Yield each key with the rows that it has, which lie together."""
    keys: list[bytes] = table.column(KEY).to_pylist()
    begin = 0
    for position in range(1, len(keys) + 1):
        if position == len(keys) or keys[position] != keys[begin]:
            yield keys[begin], begin, position
            begin = position


def _count_values(
    count: StoredCount, table: pa.Table, columns: Sequence[str], times_us: np.ndarray
) -> Iterator[tuple[bytes, bytes]]:
    rows = np.stack([table.column(name).to_numpy() for name in columns], axis=1).astype(np.int64)
    rows[:, 0] = times_us
    for key, begin, end in _ranges(table):
        yield _stored(layout.COUNT, count, key), count.codec.encoded(rows[begin:end])


def _sequence_values(
    sequence: StoredSequence, table: pa.Table, columns: Sequence[str]
) -> Iterator[tuple[bytes, bytes]]:
    known, times, *parts = (table.column(name).to_pylist() for name in columns)
    texts = list(zip(*([text or b"" for text in part] for part in parts), strict=True))
    for key, begin, end in _ranges(table):
        entries = [Entry(known[row], times[row], texts[row]) for row in range(begin, end)]
        value = b"".join(map(sequence_entries.encoded, entries))
        yield _stored(layout.SEQUENCE, sequence, key), value


def _stored(kind: bytes, history: Any, key: bytes) -> bytes:
    return kind + bytes([history.number]) + layout.shortened(key)

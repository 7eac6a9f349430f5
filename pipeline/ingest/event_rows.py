"""Lines of event logs as Arrow tables: what joining needs of impressions and actions.

| column | type | of | content |
|---|---|---|---|
| `identity` | binary | both | 16 bytes that lines of one event share |
| `join_key` | binary | both | request or user, and item |
| `time_us` | int64 | both | microseconds since the Unix epoch |
| `day` | int32 | impressions | day of the event, as `datetime.date.toordinal` counts |
| `draw`, `place` | uint64 | both | halves of a digest that lines equal in every column share |
| `file`, `line`, `raw` | int32, int64, binary | both | where it comes from, and the first bytes of the line |
| `record` | binary | impressions | the record, pickled |
| `kind` | binary | actions | kind of the action |
| `value.<column>` | float64 | actions | values to fold; null where missing |
"""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.columns import NumberReader, TextReader
from pipeline.ingest.event_time import EventTimeReader
from pipeline.ingest.labelled_rows import usable_rows
from pipeline.ingest.records import RecordBatch
from pipeline.ingest.rejection import RAW_LIMIT_BYTES, Reason, RejectedLine, UnusableLineError
from pipeline.ingest.rows import DIGEST_BYTES, Problems
from pipeline.ingest.settings import IngestSettings

VALUE = "value."


class EventParser:
    """Reads batches of an event log.

    Args:
        settings: the spec's rules.
        actions: whether the log is that of the actions; else it is that of the impressions.
    """

    def __init__(self, settings: IngestSettings, actions: bool) -> None:
        logs, keys = settings.logs, settings.keys
        log = logs.actions if actions else logs.impressions
        event_time = logs.actions.event_time if actions and logs.actions is not None else keys.event_time
        assert log is not None  # noqa: S101 (the spec says so)
        assert event_time is not None  # noqa: S101
        missing = frozenset(logs.missing_values)
        needed = [*settings.join_columns]
        if log.event_id is not None:
            needed.append(log.event_id)
        kinds = [logs.actions.kind] if actions and logs.actions is not None else []
        self._texts = {column: TextReader(column, missing) for column in [*needed, *kinds]}
        self._join_columns, self._event_id, self._kinds = settings.join_columns, log.event_id, kinds
        self._time_column, self._read_time = event_time.column, EventTimeReader(event_time, missing)
        folded = logs.actions.folds.values() if actions and logs.actions is not None else ()
        values = sorted({column.value for column in folded if column.value is not None})
        self._values = {column: NumberReader(column, missing) for column in values}
        self._is_actions = actions

    def __call__(self, batch: RecordBatch, source: str, file: int) -> tuple[pa.Table, list[RejectedLine]]:
        """Reads the records of a batch.

        Args:
            batch: from a file of the log.
            source: name of the file.
            file: its number.

        Returns:
            the events, and the records that are none, each with the first reason that applies.
        """
        rows, problems = batch.rows, Problems()
        texts = {column: _required(column, read, rows.column(column), problems) for column, read in self._texts.items()}
        times, days = self._read_time(rows.column(self._time_column), problems)
        content = b"".join(rows.digests(problems))
        digests = np.frombuffer(content, ">u8").reshape(-1, 2).astype(np.uint64)
        columns: dict[str, Any] = {
            "join_key": _join_keys([texts[column] for column in self._join_columns]),
            "time_us": times,
            "draw": digests[:, 0],
            "place": digests[:, 1],
            "file": pa.array(np.full(len(rows), file, np.int32)),
            "line": pa.array(batch.numbers, pa.int64()),
            "raw": pa.array([raw[:RAW_LIMIT_BYTES] for raw in batch.raws], pa.binary()),
        }
        if self._event_id is None:
            identities = [content[at : at + DIGEST_BYTES] for at in range(0, len(content), DIGEST_BYTES)]
        else:
            identities = [_hashed(text) for text in texts[self._event_id].to_pylist()]
        columns["identity"] = pa.array(identities, pa.binary())
        if self._is_actions:
            columns["kind"] = texts[self._kinds[0]]
            for column, read in self._values.items():
                values = read(rows.column(column), problems)
                columns[VALUE + column] = pa.array(values, mask=np.isnan(values))
        else:
            columns["day"] = pa.array(days, pa.int32())
            columns["record"] = pa.array([pickle.dumps(record) for record in rows.records()], pa.binary())
        return usable_rows(pa.table(columns), problems, source, batch.numbers, batch.raws)


def _required(column: str, read: TextReader, values: list[Any], problems: Problems) -> pa.Array:
    texts = read(values, problems)
    for position in np.flatnonzero(texts.is_null()).tolist() if texts.null_count else ():
        problems.setdefault(position, UnusableLineError(Reason.MISSING_KEY, f"{column}: missing"))
    return texts


def _join_keys(keys: list[pa.Array]) -> pa.Array:
    # The first key's length keeps pairs apart whose texts run together.
    length = pc.cast(pc.cast(pc.binary_length(keys[0]), pa.string()), pa.binary())
    return pc.binary_join_element_wise(length, *keys, pa.scalar(b":", pa.binary()))


def _hashed(text: bytes | None) -> bytes:
    return hashlib.blake2b(text or b"", digest_size=DIGEST_BYTES).digest()

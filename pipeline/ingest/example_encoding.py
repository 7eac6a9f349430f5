"""Labelled records as serialised tf.Examples.

Serialised messages of one type merge when they are put one behind the other, which the encoding of protocol buffers guarantees.
So each feature is serialised once a value and each row of a side table once, and an example is the concatenation of such parts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from tensorflow.core.example import feature_pb2

from feature_spec import names
from pipeline.ingest import tally as counted
from pipeline.ingest.conversion import FieldValue
from pipeline.ingest.labelled_record import LabelledRecord
from pipeline.ingest.labels import Label
from pipeline.ingest.settings import IngestSettings
from pipeline.ingest.side_table import TableRows
from pipeline.ingest.tally import Tally

_REMEMBERED_PARTS = 1 << 17
# Field 1 of tf.Example, `features`, as a length-delimited value.
_FEATURES_TAG = b"\x0a"


class ExampleEncoder:
    """Joins the side tables to records and serialises them.

    Args:
        settings: the spec's rules.
        tables: the rows of each side table by key.
    """

    def __init__(self, settings: IngestSettings, tables: Mapping[str, TableRows]) -> None:
        self._fields = list(settings.fields_of(None))
        self._fields_of_table = {table: list(settings.fields_of(table)) for table in settings.logs.tables}
        self._tables = {name: tables[name] for name in settings.logs.tables}
        self._tasks = list(settings.tasks)
        self._part = functools.lru_cache(maxsize=_REMEMBERED_PARTS)(_part)
        self._label_part = functools.lru_cache(maxsize=_REMEMBERED_PARTS)(_label_part)
        self._row_part = functools.lru_cache(maxsize=_REMEMBERED_PARTS)(self._joined_row)

    def encode(self, record: LabelledRecord, tally: Tally) -> bytes:
        """One serialised tf.Example: fields (a missing one has no feature), labels and masks, event time and keys.

        Counts in `tally` where a side table has no row for the record.
        """
        part = self._part
        parts = [part(name, value) for name, value in zip(self._fields, record.fields, strict=True) if value is not None]
        for (table, rows), key in zip(self._tables.items(), record.table_keys, strict=True):
            if key is None or key not in rows:
                tally[counted.UNJOINED, table] += 1
            else:
                parts.append(self._row_part(table, key))
        parts += [self._label_part(task, label) for task, label in zip(self._tasks, record.labels, strict=True)]
        if record.event_time_us is not None:
            parts.append(_integer_part(names.EVENT_TIME, record.event_time_us))
        keys = zip((names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY), record.keys, strict=True)
        parts += [part(name, (key,)) for name, key in keys if key is not None]
        features = b"".join(parts)
        return _FEATURES_TAG + _varint(len(features)) + features

    def _joined_row(self, table: str, key: bytes) -> bytes:
        values = self._tables[table][key]
        fields = self._fields_of_table[table]
        return b"".join(self._part(name, value) for name, value in zip(fields, values, strict=True) if value is not None)


def _part(name: str, value: FieldValue) -> bytes:
    """A tf.train.Features message with one feature, serialised."""
    if isinstance(value, float):
        feature = feature_pb2.Feature(float_list=feature_pb2.FloatList(value=[value]))
    else:
        feature = feature_pb2.Feature(bytes_list=feature_pb2.BytesList(value=value))
    return feature_pb2.Features(feature={name: feature}).SerializeToString()


def _integer_part(name: str, value: int) -> bytes:
    feature = feature_pb2.Feature(int64_list=feature_pb2.Int64List(value=[value]))
    return feature_pb2.Features(feature={name: feature}).SerializeToString()


def _label_part(task: str, label: Label) -> bytes:
    mask = 0.0 if label is None else 1.0
    return _part(names.label_name(task), 0.0 if label is None else label) + _part(names.mask_name(task), mask)


def _varint(number: int) -> bytes:
    """Base 128, least significant group first; the highest bit says that another group follows."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)

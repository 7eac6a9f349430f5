"""Records as ingestion passes them on: fields, keys, event time and labels, read by the spec's rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.ingest.conversion import FieldValue, category_reader, list_reader, number_reader, text_reader
from pipeline.ingest.event_time import event_time_reader
from pipeline.ingest.labels import Label, label_reader
from pipeline.ingest.parsing import Record
from pipeline.ingest.rejection import RAW_LIMIT_BYTES, Reason, UnusableLineError
from pipeline.ingest.settings import IngestedField, IngestSettings


class LabelledRecord(NamedTuple):
    """One exposure. Tuples follow the order of the settings; None is a missing value.

    Attributes:
        digest: 16 bytes that equal records share, and no others. They order, draw and deduplicate records.
        file: number of the file.
        line: number of the line.
        raw: first bytes of the line, kept where a later step may reject the record.
        day: day of the event, as `datetime.date.toordinal` counts; None without event time.
        event_time_us: microseconds since the Unix epoch; None without event time.
        keys: request, user and item key; None where the spec declares none.
        table_keys: the key into each side table.
        fields: the fields of the exposure log.
        labels: the label of each task; None outside its sample space.
    """

    digest: bytes
    file: int
    line: int
    raw: bytes
    day: int | None
    event_time_us: int | None
    keys: tuple[bytes | None, ...]
    table_keys: tuple[bytes | None, ...]
    fields: tuple[FieldValue | None, ...]
    labels: tuple[Label, ...]


class RecordLabeller:
    """Reads records of the exposure log.

    Args:
        settings: the spec's rules.
    """

    def __init__(self, settings: IngestSettings) -> None:
        missing = frozenset(settings.logs.missing_values)
        keys = (settings.keys.request, settings.keys.user, settings.keys.item)
        self._keys = [(column, text_reader(column, missing)) if column is not None else None for column in keys]
        references = [table.exposure_key or table.key for table in settings.logs.tables.values()]
        self._references = [(column, text_reader(column, missing)) for column in references]
        self._fields = field_readers(settings.fields_of(None), missing)
        self._labels = [label_reader(task, missing) for task in settings.tasks.values()]
        self._event_time = settings.keys.event_time
        self._read_event_time = event_time_reader(self._event_time) if self._event_time is not None else None
        self._missing = missing | {""}
        self._keeps_raw = settings.logs.deduplicate or settings.split.evaluation_days is not None

    def __call__(self, record: Record, file: int, line: int, raw: bytes) -> LabelledRecord:
        """Reads one record.

        Raises:
            UnusableLineError: a key is missing, or a value that is read cannot be.
        """
        keys = tuple([None if key is None else _required(*key, record) for key in self._keys])
        event_time_us = day = None
        if self._event_time is not None and self._read_event_time is not None:
            value = record.get(self._event_time.column)
            if value is None or (isinstance(value, str) and value in self._missing):
                raise UnusableLineError(Reason.MISSING_KEY, f"{self._event_time.column}: missing")
            event_time_us, day = self._read_event_time(value)
        return LabelledRecord(
            digest=record_digest(record),
            file=file,
            line=line,
            raw=raw[:RAW_LIMIT_BYTES] if self._keeps_raw else b"",
            day=day,
            event_time_us=event_time_us,
            keys=keys,
            table_keys=tuple([read(record.get(column)) for column, read in self._references]),
            fields=read_fields(self._fields, record),
            labels=tuple([read(record) for read in self._labels]),
        )


FieldReaders = list[tuple[str, Callable[[Any], FieldValue | None]]]


def field_readers(fields: dict[str, IngestedField], missing: frozenset[str]) -> FieldReaders:
    """The column of each field and the function that reads its value."""
    readers: FieldReaders = []
    for field in fields.values():
        if field.kind == "numeric":
            readers.append((field.column, number_reader(field.column, missing, field.minimum, field.maximum)))
        elif field.separator is not None:
            readers.append((field.column, list_reader(field.column, field.separator, missing)))
        else:
            readers.append((field.column, category_reader(field.column, missing)))
    return readers


def read_fields(readers: FieldReaders, record: Record) -> tuple[FieldValue | None, ...]:
    """The values of the fields in order.

    Raises:
        UnusableLineError: a value cannot be read.
    """
    return tuple([read(record.get(column)) for column, read in readers])


def record_digest(record: Record) -> bytes:
    """16 bytes over all columns and values, whatever their order."""
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).digest()


def _required(column: str, read: Callable[[Any], bytes | None], record: Record) -> bytes:
    value = read(record.get(column))
    if value is None:
        raise UnusableLineError(Reason.MISSING_KEY, f"{column}: missing")
    return value

"""Labelled rows as serialised tf.Examples, a batch at a time; 2–3 times as fast as `tfx_bsl`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec import names
from feature_spec.fields.time_parts import part_of_hours
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.examples.history_columns import SEQUENCE
from pipeline.ingest.formats.example_features import (
    example_messages,
    integer_features,
    joined_features,
    list_features,
    number_features,
    present,
    text_features,
    vector_features,
)
from pipeline.ingest.labelling.event_time import local_times_us
from pipeline.ingest.labelling.labelled_rows import FIELD, KEY_OF, LABEL, WEIGHT
from pipeline.ingest.labelling.log_tables import KEY
from pipeline.ingest.settings.ingest_config import IngestSettings

_BATCH_ROWS = 1 << 13
_HOUR_US = 3_600_000_000


class ExampleEncoder:
    """Joins the side tables to rows and serialises them.

    Args:
        settings: the spec's rules.
        tables: the rows of each side table, as `read_side_table` returns them.
    """

    def __init__(self, settings: IngestSettings, tables: Mapping[str, pa.Table]) -> None:
        self._fields = list(settings.fields_of(None))
        self._tasks = list(settings.tasks)
        self._time_fields, self._timezone = settings.time_fields, settings.timezone
        # All numbers of a count are missing together.
        self._counts = [
            list(
                dict.fromkeys(
                    name
                    for window in windows
                    for name in (window.shown, *window.seen.values(), *window.sums.values())
                )
            )
            for windows in settings.history_columns.values()
        ]
        # A row of a side table is serialised once for all its examples.
        self._tables = {
            name: (
                _column(tables[name], KEY),
                joined_features(
                    [*_fields(tables[name], settings.fields_of(name))], tables[name].num_rows
                ),
            )
            for name in settings.logs.tables
        }

    def encode(
        self,
        rows: pa.Table,
        counts: Counts,
        negative_rates: Mapping[str, float] | None = None,
        sequences: Mapping[str, pa.Array] | None = None,
    ) -> Iterator[pa.Array]:
        """Yield the rows in order as serialised tf.Examples, thousands at a time, as binaries.

        An example has the fields (a missing one has no feature), labels and masks, event time and
        keys, and the rates at which the negatives of tasks were kept. Examples without a row in a
        side table are added to `counts`. Of histories, rows have the fields of counts, and the
        places of their lists among `sequences` (see `history_columns`).
        """
        for start in range(0, rows.num_rows, _BATCH_ROWS):
            yield self._encoded(
                rows.slice(start, _BATCH_ROWS).combine_chunks(),
                counts,
                negative_rates or {},
                sequences or {},
            )

    def _encoded(
        self,
        rows: pa.Table,
        counts: Counts,
        negative_rates: Mapping[str, float],
        sequences: Mapping[str, pa.Array],
    ) -> pa.Array:
        parts = [*_fields(rows, self._fields)]
        if self._time_fields:
            times = _column(rows, names.EVENT_TIME).to_numpy()
            hours = local_times_us(times, self._timezone) // _HOUR_US
            for name, part in self._time_fields.items():
                texts = pa.array(part_of_hours(part, hours)).cast(pa.string()).cast(pa.binary())
                parts.append(text_features(name, texts))
        for table, (keys, serialised) in self._tables.items():
            found = pc.index_in(_column(rows, KEY_OF + table), value_set=keys)
            counts[counters.UNJOINED, table] += found.null_count
            parts.append(serialised.take(found))
        for fields in self._counts:
            columns = {name: _column(rows, FIELD + name) for name in fields}
            floats = {name: column.fill_null(0.0).to_numpy() for name, column in columns.items()}
            parts.append(present(number_features(floats), columns[fields[0]]))
        for name, serialised in sequences.items():
            parts.append(serialised.take(_column(rows, SEQUENCE + name)))
        numbers: dict[str, np.ndarray] = {}
        for task in self._tasks:
            labels = _column(rows, LABEL + task)
            numbers[names.label_name(task)] = labels.fill_null(0.0).to_numpy()
            numbers[names.mask_name(task)] = labels.is_valid().to_numpy(zero_copy_only=False)
        for task, rate in negative_rates.items():
            numbers[names.negative_rate_name(task)] = np.full(rows.num_rows, rate)
        if numbers:
            parts.append(number_features(numbers))
        if WEIGHT in rows.column_names:
            weights = _column(rows, WEIGHT).to_numpy()
            parts.append(number_features({names.EXAMPLE_WEIGHT: weights}))
        if names.EVENT_TIME in rows.column_names:
            parts.append(integer_features(names.EVENT_TIME, _column(rows, names.EVENT_TIME)))
        keys = (names.REQUEST_KEY, names.USER_KEY, names.ITEM_KEY)
        parts += [
            text_features(name, _column(rows, name)) for name in keys if name in rows.column_names
        ]
        return example_messages(joined_features(parts, rows.num_rows))


def _fields(rows: pa.Table, fields: Any) -> Iterator[pa.Array]:
    for name in fields:
        column = _column(rows, FIELD + name)
        if pa.types.is_list(column.type) and pa.types.is_float32(column.type.value_type):
            yield vector_features(name, column)
        elif pa.types.is_list(column.type):
            yield list_features(name, column)
        elif pa.types.is_binary(column.type):
            yield text_features(name, column)
        else:
            numbers = number_features({name: column.fill_null(0.0).to_numpy()})
            yield present(numbers, column)


def _column(rows: pa.Table, name: str) -> pa.Array:
    chunks = rows.column(name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()

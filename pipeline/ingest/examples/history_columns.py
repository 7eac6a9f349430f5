"""Features of histories on their way to the rows of a shard, and as columns of these rows.

They come in tables, a row for each exposure that has a key:

| column | type | content |
|---|---|---|
| `row` | int32 | place of the exposure in the shard, in the order of `in_order` |
| `<field>` | int64 | a field of a count; a sum is in `LABEL_UNIT` |
| `sequence.<name>` | binary | all lists of a sequence, as serialised features |
| `length.<name>` | int32 | the number of their values |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from feature_spec.histories.history_values import label_sums
from pipeline.ingest.accounting import counters
from pipeline.ingest.accounting.counters import Counts
from pipeline.ingest.labelling.labelled_rows import FIELD
from pipeline.ingest.settings.ingest_config import IngestSettings

ROW, SEQUENCE, LENGTH = "row", "sequence.", "length."


class HistoryColumns:
    """The features of the histories of a shard, put in the places of its rows.

    Args:
        settings: the spec's rules.
        rows: N, the number of rows of the shard.
        features: tables of features, in any order. Sums of one exposure add up.

    Attributes:
        sequences: the serialised lists of each sequence, in any order.
    """

    def __init__(self, settings: IngestSettings, rows: int, features: Iterable[pa.Table]) -> None:
        self._settings = settings
        self._rows = rows
        self._sums: dict[str, np.ndarray] = {}
        self._known: dict[str, np.ndarray] = {}
        self._places: dict[str, np.ndarray] = {}
        self._lengths: dict[str, np.ndarray] = {}
        lists: dict[str, list[pa.Array]] = {}
        for table in features:
            places = table.column(ROW).to_numpy()
            for name in table.column_names:
                if name.startswith(SEQUENCE):
                    parts = lists.setdefault(name.removeprefix(SEQUENCE), [])
                    before = sum(map(len, parts))
                    self._of(self._places, name, np.int32, -1)[places] = before + np.arange(
                        len(places)
                    )
                    parts.append(table.column(name).combine_chunks())
                elif name.startswith(LENGTH):
                    self._of(self._lengths, name, np.int32, 0)[places] = table.column(name)
                elif name != ROW:
                    self._of(self._known, name, bool, False)[places] = True
                    sums = self._of(self._sums, name, np.int64, 0)
                    np.add.at(sums, places, table.column(name).to_numpy())
        self.sequences = {name: pa.concat_arrays(parts) for name, parts in lists.items()}

    def _of(
        self, columns: dict[str, np.ndarray], name: str, kind: type, default: int
    ) -> np.ndarray:
        return columns.setdefault(name, np.full(self._rows, default, kind))

    def attached(self, rows: pa.Table) -> pa.Table:
        """Return the rows of the shard, (N,), with the fields of counts and places of lists.

        A field is null where an exposure has no key.
        """
        nowhere = np.full(self._rows, -1, np.int32)
        nothing = np.zeros(self._rows, np.int64)
        unknown = np.zeros(self._rows, bool)
        for windows in self._settings.history_columns.values():
            for window in windows:
                for name in dict.fromkeys((window.shown, *window.seen.values())):
                    numbers = self._sums.get(name, nothing).astype(np.float32)
                    rows = self._with_numbers(rows, name, numbers, unknown)
                for name in window.sums.values():
                    numbers = label_sums(self._sums.get(name, nothing))
                    rows = self._with_numbers(rows, name, numbers, unknown)
        for name in _sequences(self._settings):
            places = self._places.get(SEQUENCE + name, nowhere)
            lengths = self._lengths.get(LENGTH + name, np.zeros(self._rows, np.int32))
            for prefix, values in ((SEQUENCE, places), (LENGTH, lengths)):
                rows = rows.append_column(prefix + name, pa.array(values, mask=places < 0))
        return rows

    def _with_numbers(
        self, rows: pa.Table, name: str, numbers: np.ndarray, unknown: np.ndarray
    ) -> pa.Table:
        known = self._known.get(name, unknown)
        return rows.append_column(FIELD + name, pa.array(numbers, mask=~known))


def count_histories(counts: Counts, rows: pa.Table, settings: IngestSettings) -> None:
    """Count the examples that have no key, or an empty history, by history."""
    seen = {
        name: rows.column(FIELD + windows[0].shown)
        for name, windows in settings.history_columns.items()
    }
    seen |= {name: rows.column(LENGTH + name) for name in _sequences(settings)}
    for name, column in seen.items():
        lengths = column.drop_null().to_numpy()
        counts[counters.HISTORY, name, counters.NO_KEY] += column.null_count
        counts[counters.HISTORY, name, counters.EMPTY] += int(np.count_nonzero(lengths == 0))
        counts[counters.HISTORY, name, counters.EVENTS] += round(float(lengths.sum(dtype=float)))
        counts[counters.HISTORY, name, counters.EXAMPLES] += rows.num_rows


def _sequences(settings: IngestSettings) -> Mapping[str, object]:
    return settings.histories.sequences if settings.histories is not None else {}

"""How often each text of a feature occurs, counted in Arrow, for TFDV's statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tfx  # noqa: F401  (before TFDV, which on Python 3.11 needs TFX's stand-in)
from tensorflow_metadata.proto.v0 import statistics_pb2
from typing_extensions import override

from tensorflow_data_validation.statistics.generators import stats_generator  # isort: skip
from tensorflow_data_validation.types import FeaturePath  # isort: skip
from tensorflow_data_validation.utils import top_k_uniques_stats_util  # isort: skip

# TFDV's defaults: the values of `top_values`, and those of `rank_histogram`.
_TOP_VALUES, _RANKS = 20, 1000
# Tables of a feature wait until they have so many rows, and are then added up.
_WAITING_ROWS = 1 << 18
_COUNTS = pa.schema([("value", pa.large_binary()), ("count", pa.int64())])


@dataclass
class _Counts:
    """Counts of the values of one feature; a value may stand in several tables."""

    added: pa.Table = field(default_factory=_COUNTS.empty_table)
    waiting: list[pa.Table] = field(default_factory=list)

    def add(self, tables: Iterable[pa.Table]) -> None:
        self.waiting += tables
        if sum(map(len, self.waiting)) >= max(_WAITING_ROWS, len(self.added)):
            self.add_up()

    def add_up(self) -> pa.Table:
        if self.waiting:
            tables = [table for table in (self.added, *self.waiting) if len(table)]
            if tables:
                together = pa.concat_tables(tables).group_by("value", use_threads=False)
                self.added = together.aggregate([("count", "sum")]).rename_columns(_COUNTS.names)
            self.waiting = []
        return self.added


class ValueCountsGenerator(stats_generator.CombinerStatsGenerator):
    """Exact numbers of different values, and the values that occur most often.

    The result is that of TFDV's own generator, which hands each value of each thousand examples
    through Beam, and takes most of the time of a split's statistics.

    Args:
        without: names of the features to leave out.
    """

    def __init__(self, without: Iterable[str] = ()) -> None:
        super().__init__("ValueCountsGenerator")
        self._without = frozenset(without)

    @override
    def create_accumulator(self) -> dict[str, _Counts]:
        return {}

    @override
    def add_input(
        self, accumulator: dict[str, _Counts], input_record_batch: pa.RecordBatch
    ) -> dict[str, _Counts]:
        for name, column in zip(
            input_record_batch.schema.names, input_record_batch.columns, strict=True
        ):
            if name not in self._without and _holds_texts(column.type):
                found = column.flatten().value_counts()
                values = found.field("values").cast(pa.large_binary())
                counted = pa.table([values, found.field("counts")], schema=_COUNTS)
                accumulator.setdefault(name, _Counts()).add([counted])
        return accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[dict[str, _Counts]]) -> dict[str, _Counts]:
        merged: dict[str, _Counts] = {}
        for accumulator in accumulators:
            for name, counts in accumulator.items():
                merged.setdefault(name, _Counts()).add([counts.added, *counts.waiting])
        return merged

    @override
    def compact(self, accumulator: dict[str, _Counts]) -> dict[str, _Counts]:
        for counts in accumulator.values():
            counts.add_up()
        return accumulator

    @override
    def extract_output(
        self, accumulator: Mapping[str, _Counts]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        result = statistics_pb2.DatasetFeatureStatistics()
        for name, counts in accumulator.items():
            table = counts.add_up()
            result.features.append(
                top_k_uniques_stats_util.make_feature_stats_proto_topk_uniques(
                    feature_path=FeaturePath([name]),
                    num_top_values=_TOP_VALUES,
                    num_rank_histogram_buckets=_RANKS,
                    num_unique=len(table),
                    value_count_list=_most_frequent(table),
                )
            )
        return result


def _most_frequent(table: pa.Table) -> list[Any]:
    """Return the values that a rank histogram shows, of equal ones the largest."""
    if len(table) > _RANKS:
        # Sorting texts takes long: only those that may be shown are sorted.
        counts = table.column("count")
        last = pc.top_k_unstable(counts, _RANKS, sort_keys=[("", "descending")])[-1]
        table = table.filter(pc.greater_equal(counts, counts[last.as_py()]))
    order = [("count", "descending"), ("value", "descending")]
    found = table.take(pc.sort_indices(table, sort_keys=order)[:_RANKS])
    return [
        top_k_uniques_stats_util.FeatureValueCount(value, count)
        for value, count in zip(
            found.column("value").to_pylist(), found.column("count").to_pylist(), strict=True
        )
    ]


def _holds_texts(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    values = kind.value_type
    return any(
        is_text(values)
        for is_text in (
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string,
            pa.types.is_large_string,
        )
    )  # fmt: skip

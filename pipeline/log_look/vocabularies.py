"""The sizes that vocabularies and embedding tables will have, from the rows that train."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_spec.feature_layout import FeatureLayout
from feature_spec.fields.field import EmbeddedField, time_part
from feature_spec.spec import FeatureSpec
from feature_spec.training_settings import numbers_of_rows
from pipeline.ingest.labelling.labelled_rows import FIELD, KEY_OF
from pipeline.ingest.labelling.log_tables import KEY

_VALUES_OF_PART = {"hour": 24, "weekday": 7, "hour_of_week": 168}
_BYTES_OF_NUMBER = 4
# Adagrad keeps an accumulator for each weight.
_COPIES_IN_TRAINING = 2


@dataclasses.dataclass(frozen=True)
class VocabularySize:
    """The values of a field in the rows that train.

    Attributes:
        values: the number of different values.
        kept: the number of values that occur often enough to have a row of their own.
        min_count: the number of occurrences from which a value has a row of its own; None for a
            hashed field.
        presence: the share of rows with a value.
    """

    values: int
    kept: int
    min_count: int | None
    presence: float


@dataclasses.dataclass(frozen=True)
class EmbeddingTable:
    """The tables of all fields of an embedding width.

    Attributes:
        width: the numbers of a row: D, and more if tasks have tables of their own.
        rows: the number of rows.
    """

    width: int
    rows: int

    @property
    def bytes_in_training(self) -> int:
        """The memory of the weights and of the optimiser's accumulators, in bytes."""
        return self.rows * self.width * _BYTES_OF_NUMBER * _COPIES_IN_TRAINING


def vocabulary_sizes(
    spec: FeatureSpec, rows: pa.Table, tables: Mapping[str, pa.Table], read_share: float
) -> dict[str, VocabularySize]:
    """Return the size of the vocabulary of each field with embeddings of its own, by name.

    Args:
        spec: the feature spec.
        rows: labelled rows that train (see `labelled_rows`), or a sample of them.
        tables: the rows of side tables (see `read_side_table`).
        read_share: the share of the log that was read; below 1, sizes are estimates.
    """
    sizes = {}
    for name, field in spec.fields.items():
        if not isinstance(field, EmbeddedField) or field.history is not None:
            continue
        part = time_part(field)
        if part is not None:
            values_of_part = _VALUES_OF_PART[part]
            sizes[name] = VocabularySize(values_of_part, values_of_part, 1, 1.0)
            continue
        if field.table is None:
            values = rows.column(FIELD + name).combine_chunks()
        else:
            table = tables[field.table]
            found = pc.index_in(
                rows.column(KEY_OF + field.table).combine_chunks(),
                value_set=table.column(KEY).combine_chunks(),
            )
            values = table.column(FIELD + name).combine_chunks().take(found)
        present = len(values) - values.null_count
        texts = values.flatten() if pa.types.is_list(values.type) else values
        counts = texts.drop_null().value_counts().field("counts").to_numpy()
        vocabulary = field.vocabulary_or_default
        min_count = vocabulary.min_count if vocabulary is not None else None
        sizes[name] = VocabularySize(
            values=_estimated(counts, 1, read_share),
            kept=_estimated(counts, min_count, read_share) if min_count is not None else 0,
            min_count=min_count,
            presence=present / len(values) if len(values) else 0.0,
        )
    return sizes


def _estimated(counts: np.ndarray, min_count: int, read_share: float) -> int:
    """Estimate how many values occur at least `min_count` times in all rows.

    Chao's estimate of 1984 adds the values that a sample has missed: f₁² / (2 f₂), where f₁ and f₂
    are the numbers of values seen once and twice. No more rows can show than there are.

    Args:
        counts: the occurrences of each value in the rows read.
        min_count: the least number of occurrences.
        read_share: the share of all rows that was read.
    """
    if read_share >= 1.0:
        return int(np.count_nonzero(counts >= min_count))
    # A value that occurs min_count times in all rows occurs so often in the rows read.
    least = max(round(min_count * read_share), 1)
    seen = int(np.count_nonzero(counts >= least))
    if min_count > 1:
        return seen
    once, twice = (int(np.count_nonzero(counts == count)) for count in (1, 2))
    missed = once * (once - 1) / 2 if not twice else once * once / (2 * twice)
    return min(round(seen + missed), round(seen + once * (1 / read_share - 1)))


def embedding_tables(
    spec: FeatureSpec, sizes: Mapping[str, VocabularySize]
) -> list[EmbeddingTable]:
    """Return the embedding tables that a training will make, by width."""
    layout = FeatureLayout(spec)
    rows = {width: layout.reserved_rows(width) for width in layout.widths}
    for name, size in sizes.items():
        field = spec.fields[name]
        assert isinstance(field, EmbeddedField)  # noqa: S101 (others have no vocabulary)
        rows[field.width] += size.kept
    numbers = numbers_of_rows(spec)
    return [EmbeddingTable(numbers[width], count) for width, count in rows.items()]

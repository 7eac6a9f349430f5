"""The lines of a source that `where` of the spec keeps; the others belong to other sources."""

from __future__ import annotations

from collections.abc import Collection
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from feature_spec.logs.source import Source
from pipeline.ingest.formats.record_batch import Problems, RecordBatch
from pipeline.ingest.labelling.value_readers import EventReader


class KeptLines(NamedTuple):
    """The lines of a batch that a source keeps.

    Attributes:
        batch: records that every condition keeps, and lines that are no records; a record with a
            value that no condition can read is one of these.
        filtered: the number of other lines.
    """

    batch: RecordBatch
    filtered: int


class LineFilter:
    """Keeps the lines whose columns hold one of the values of `where`.

    Args:
        source: the source of the lines.
        missing: texts that stand for a missing value. A line that lacks a column is not kept.
    """

    def __init__(self, source: Source, missing: Collection[str]) -> None:
        self._conditions = [
            (column, EventReader(column, values, missing))
            for column, values in source.where.items()
        ]

    def __call__(self, batch: RecordBatch) -> KeptLines:
        """Return the kept lines of a batch, in their order."""
        if not self._conditions:
            return KeptLines(batch, 0)
        problems: Problems = {}
        holds = np.ones(len(batch.numbers), bool)
        for column, read in self._conditions:
            holds &= read(batch.rows.column(column), problems)
        holds[list(problems)] = False
        kept = np.flatnonzero(holds).tolist()
        unusable = [
            (batch.numbers[position], batch.raws[position], problem)
            for position, problem in problems.items()
        ]
        return KeptLines(
            RecordBatch(
                [batch.numbers[position] for position in kept],
                [batch.raws[position] for position in kept],
                batch.rows.taken(kept),
                sorted([*batch.unusable, *unusable], key=itemgetter(0)),
            ),
            len(batch.numbers) - len(kept) - len(problems),
        )

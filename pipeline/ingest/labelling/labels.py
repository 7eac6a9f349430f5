"""The labels of a task, read from the columns of exposures by the rule of the feature spec.

`feature_spec.tasks.label_rule` says what each rule computes; this module reads the columns for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from feature_spec.strict_model import Value
from feature_spec.tasks.chain import labels_in_chain
from pipeline.ingest.formats.record_batch import Columns, Problems
from pipeline.ingest.labelling.value_readers import EventReader, NumberReader
from pipeline.ingest.settings.ingest_config import IngestedTask

# From rows to the label of each, a float64; NaN outside the task's sample space.
LabelReader = Callable[[Columns, Problems], np.ndarray]


def label_reader(task: IngestedTask, missing: Collection[str]) -> LabelReader:
    """Build the function from rows to a task's labels; it notes the rows that cannot be read."""
    readers: dict[Any, Callable[[Collection[Any], Problems], np.ndarray]] = {}

    def read(rows: Columns, problems: Problems) -> np.ndarray:
        exposures = _RowColumns(rows, problems, missing, readers)
        return labels_in_chain([*task.given, task], exposures)

    return read


class _RowColumns:
    """The `ExposureColumns` of some rows.

    Args:
        rows: the rows.
        problems: receives the rows whose values cannot be read, by position.
        missing: texts that stand for a missing value.
        readers: readers made so far, which remember values from batch to batch.
    """

    def __init__(
        self,
        rows: Columns,
        problems: Problems,
        missing: Collection[str],
        readers: dict[Any, Callable[[Collection[Any], Problems], np.ndarray]],
    ) -> None:
        self._rows, self._problems = rows, problems
        self._missing, self._readers = missing, readers

    def numbers(
        self, column: str, *, minimum: float | None = None, maximum: float | None = None
    ) -> np.ndarray:
        key = ("numbers", column, minimum, maximum)
        if key not in self._readers:
            self._readers[key] = NumberReader(column, self._missing, minimum, maximum)
        return self._readers[key](self._rows.column(column), self._problems)

    def events(self, column: str, equals: list[Value] | None = None) -> np.ndarray:
        key = ("events", column, repr(equals))  # since 1 equals true in Python
        if key not in self._readers:
            self._readers[key] = EventReader(column, equals, self._missing)
        return self._readers[key](self._rows.column(column), self._problems)

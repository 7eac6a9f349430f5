"""Labels and sample spaces of a task from the columns of exposures. `feature_spec.tasks.label_rule` says what each rule means."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from feature_spec.tasks.label_rule import AtLeastRule, ColumnRule, EventRule, RatioRule
from pipeline.ingest.labelling.column_readers import EventReader, NumberReader
from pipeline.ingest.settings.ingest_config import IngestedTask
from pipeline.ingest.sources.rows import Columns, Problems

# From rows to the label of each, a float64; NaN outside the task's sample space.
LabelReader = Callable[[Columns, Problems], np.ndarray]


def label_reader(task: IngestedTask, missing: Collection[str]) -> LabelReader:
    """Builds the function from rows to a task's labels; it notes the rows whose values cannot be read."""
    read_labels = _rule_reader(task, missing)
    space = task.sample_space
    if space is None:
        return read_labels
    happened = EventReader(space.event, space.equals, missing)

    def read(rows: Columns, problems: Problems) -> np.ndarray:
        # The label is read outside the sample space too, so that an unreadable value never passes.
        labels = read_labels(rows, problems)
        return np.where(happened(rows.column(space.event), problems), labels, np.nan)

    return read


def _rule_reader(task: IngestedTask, missing: Collection[str]) -> LabelReader:
    rule = task.label
    if isinstance(rule, EventRule):
        return _event(rule, missing)
    if isinstance(rule, AtLeastRule):
        return _at_least(rule, missing)
    if isinstance(rule, RatioRule):
        return _ratio(rule, missing)
    return _column(rule, missing, binary=task.kind == "binary")


def _event(rule: EventRule, missing: Collection[str]) -> LabelReader:
    happened = EventReader(rule.column, rule.equals, missing)
    return lambda rows, problems: happened(rows.column(rule.column), problems).astype(np.float64)


def _at_least(rule: AtLeastRule, missing: Collection[str]) -> LabelReader:
    read_numbers = NumberReader(rule.column, missing)

    def read(rows: Columns, problems: Problems) -> np.ndarray:
        numbers = read_numbers(rows.column(rule.column), problems)
        return np.where(np.isnan(numbers), np.nan, numbers >= rule.threshold)

    return read


def _ratio(rule: RatioRule, missing: Collection[str]) -> LabelReader:
    numerator = NumberReader(rule.numerator, missing, minimum=0.0)
    denominator = NumberReader(rule.denominator, missing, minimum=0.0)

    def read(rows: Columns, problems: Problems) -> np.ndarray:
        above = numerator(rows.column(rule.numerator), problems)
        below = denominator(rows.column(rule.denominator), problems)
        below[below == 0] = np.nan
        # A tiny denominator may take the ratio to infinity, which the clip takes back.
        with np.errstate(over="ignore"):
            return np.minimum(above / below, rule.clip)

    return read


def _column(rule: ColumnRule, missing: Collection[str], binary: bool) -> LabelReader:
    read_numbers = NumberReader(
        rule.column, missing, minimum=0.0 if binary else None, maximum=1.0 if binary else None
    )
    return lambda rows, problems: read_numbers(rows.column(rule.column), problems)

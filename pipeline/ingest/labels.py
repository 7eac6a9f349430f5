"""Label and sample space of a task from the columns of an exposure. `feature_spec.label_rule` says what each rule means."""

from __future__ import annotations

from collections.abc import Callable, Collection

from feature_spec.label_rule import AtLeastRule, ColumnRule, EventRule, RatioRule
from pipeline.ingest.conversion import event_reader, number_reader
from pipeline.ingest.parsing import Record
from pipeline.ingest.settings import IngestedTask

# The label, or None outside the task's sample space.
Label = float | None


def label_reader(task: IngestedTask, missing: Collection[str]) -> Callable[[Record], Label]:
    """Builds the function from a record to a task's label; it raises UnusableLineError for a value that cannot be read."""
    read_label = _rule_reader(task, missing)
    space = task.sample_space
    if space is None:
        return read_label
    happened = event_reader(space.event, space.equals, missing)

    def read(record: Record) -> Label:
        # The label is read outside the sample space too, so that an unreadable value never passes.
        label = read_label(record)
        return label if happened(record.get(space.event)) else None

    return read


def _rule_reader(task: IngestedTask, missing: Collection[str]) -> Callable[[Record], Label]:
    rule = task.label
    if isinstance(rule, EventRule):
        return _event(rule, missing)
    if isinstance(rule, AtLeastRule):
        return _at_least(rule, missing)
    if isinstance(rule, RatioRule):
        return _ratio(rule, missing)
    return _column(rule, missing, binary=task.kind == "binary")


def _event(rule: EventRule, missing: Collection[str]) -> Callable[[Record], Label]:
    happened = event_reader(rule.column, rule.equals, missing)
    return lambda record: 1.0 if happened(record.get(rule.column)) else 0.0


def _at_least(rule: AtLeastRule, missing: Collection[str]) -> Callable[[Record], Label]:
    number = number_reader(rule.column, missing)

    def read(record: Record) -> Label:
        value = number(record.get(rule.column))
        return None if value is None else float(value >= rule.threshold)

    return read


def _ratio(rule: RatioRule, missing: Collection[str]) -> Callable[[Record], Label]:
    numerator = number_reader(rule.numerator, missing, minimum=0.0)
    denominator = number_reader(rule.denominator, missing, minimum=0.0)

    def read(record: Record) -> Label:
        above, below = numerator(record.get(rule.numerator)), denominator(record.get(rule.denominator))
        if above is None or not below:
            return None
        # A tiny denominator may take the ratio to infinity, which the clip takes back.
        return min(above / below, rule.clip)

    return read


def _column(rule: ColumnRule, missing: Collection[str], binary: bool) -> Callable[[Record], Label]:
    number = number_reader(rule.column, missing, minimum=0.0 if binary else None, maximum=1.0 if binary else None)
    return lambda record: number(record.get(rule.column))

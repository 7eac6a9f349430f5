"""Histories as a table, for the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from feature_spec.fields.field import Field
from feature_spec.histories.histories import Histories, HistoryCount, HistorySequence
from feature_spec.histories.history_fields import counted_tasks
from feature_spec.tasks.task import Task

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def history_table(histories: Histories, fields: dict[str, Field], tasks: dict[str, Task]) -> Table:
    """Return the histories as rows: their keys, what they tell, and how many fields they become.

    Args:
        histories: the histories.
        fields: all fields of the spec.
        tasks: the tasks of the spec.
    """
    all_of_them = histories.counts | histories.sequences
    table = Table(
        title=f"{len(all_of_them)} histories, {known_text(histories)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("history", "side", "by", "tells", "fields"):
        table.add_column(heading)
    for name, history in all_of_them.items():
        made = [field for field in fields.values() if field.history == name]
        tells = (
            _count_text(history, tasks)
            if isinstance(history, HistoryCount)
            else _sequence_text(history)
        )
        side = made[0].side if made else ""
        table.add_row(name, side, " × ".join(history.by), tells, str(len(made)))
    return table


def known_text(histories: Histories) -> str:
    """Return when feedback counts and how long histories warm up, in words."""
    known = (
        "known at the begin of the day"
        if histories.known_after_s is None
        else f"known after {seconds_text(histories.known_after_s)}"
    )
    days = histories.warm_up_days
    return f"{known}, {days} day{'s' * (days != 1)} of warm-up"


def seconds_text(seconds: float) -> str:
    """Return a duration in its largest whole unit, such as ``7 d``."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _count_text(count: HistoryCount, tasks: dict[str, Task]) -> str:
    rates = [f"rate of {task}" for task in counted_tasks(count, tasks)]
    windows = ", ".join(map(seconds_text, count.windows_s))
    within = f" in the last {windows}" if windows else ""
    return f"exposures and {', '.join(rates)}{within}, α = {count.smoothing:g}"


def _sequence_text(sequence: HistorySequence) -> str:
    where = f" where {sequence.where.text}" if sequence.where else ""
    parts = [*sequence.fields, *["age"] * sequence.age, *["feedback"] * bool(sequence.feedback)]
    search = f" of its {sequence.search_by}" if sequence.search_by else ""
    return f"last {sequence.max_length}{where}: {', '.join(parts)}; {sequence.pooling}{search}"

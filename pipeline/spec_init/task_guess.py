"""Tasks that the columns of a log suggest: flags, ratings, watch times and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from feature_spec.names import usable_name
from pipeline.spec_init.roles import Roles
from pipeline.spec_init.seen_columns import SeenColumn
from pipeline.spec_init.words import (
    AMOUNT_OF_TIME,
    DISLIKES,
    DURATION,
    FEEDBACK,
    RATING,
    WATCH,
    has_word,
    words_of,
)

_MOST_TASKS = 8
_MOST_STARS = 11
_FEW_STEPS = 50
_YES, _NO = frozenset({"yes", "y", "t"}), frozenset({"no", "n", "f"})


@dataclasses.dataclass(frozen=True)
class GuessedTask:
    """A task that is proposed.

    Attributes:
        name: a usable name like that of its column.
        kind: `binary` or `regression`.
        label: its label rule.
        columns: the columns that it reads, which no field may read.
        weight: its exponent in the ranking formula.
        seen: what was seen of its labels.
        decide: what is left to decide; "" if nothing.
    """

    name: str
    kind: str
    label: dict[str, Any]
    columns: tuple[str, ...]
    weight: float
    seen: str
    decide: str = ""


@dataclasses.dataclass
class GuessedTasks:
    """The tasks of a log, and the columns that tell what happened after the exposure.

    Attributes:
        tasks: the tasks.
        afterwards: columns that are no tasks, and known only after the exposure.
    """

    tasks: list[GuessedTask]
    afterwards: dict[str, str]


def guessed_tasks(columns: Mapping[str, SeenColumn], roles: Roles) -> GuessedTasks:
    """Return at least one task of a log without a column of behaviours."""
    keys = {roles.user, roles.item, *roles.taken}
    free = {name: column for name, column in columns.items() if name not in keys and column.present}
    tasks: list[GuessedTask] = []
    afterwards: dict[str, str] = {}
    for name, column in free.items():
        if _tells_yes(column) and column.is_given and has_word(name, FEEDBACK | DISLIKES):
            tasks.append(_flag(column))
        elif column.is_given and _is_count(column):
            tasks.append(_count(column))
    rating = _rating(free)
    graded = _rating_tasks(rating) if rating is not None else []
    graded += _watch_tasks(free, afterwards)
    most = _MOST_TASKS - len(graded)
    for task in tasks[most:]:
        afterwards |= dict.fromkeys(task.columns, "feedback, which a further task may read")
    tasks = tasks[:most] + graded
    return GuessedTasks(tasks or [_any_task(free or dict(columns))], afterwards)


def _flag(column: SeenColumn, decide: str = "") -> GuessedTask:
    share, yes = _positive_share(column), _yes(column)
    name = column.name.removeprefix("is_") or column.name
    return GuessedTask(
        name=usable_name("tasks", name),
        kind="binary",
        label={"rule": "event", "column": column.name, **({"equals": yes} if yes else {})},
        columns=(column.name,),
        weight=-0.5 if has_word(column.name, DISLIKES) else 1.0,
        seen=f"{share:.2%} positive",
        decide=decide or ("the weight of a penalty" if has_word(column.name, DISLIKES) else ""),
    )


def _yes(column: SeenColumn) -> list[str]:
    """Return the values that say yes, of a column whose values say yes or no; else none."""
    texts = column.texts or []
    yes = [text for text in texts if text.lower() in _YES]
    return yes if all(text.lower() in _YES | _NO for text in texts) else []


def _tells_yes(column: SeenColumn) -> bool:
    return column.is_flag or bool(_yes(column))


def _positive_share(column: SeenColumn) -> float:
    positive = sum(
        count
        for text, count in column.counts.items()
        if text.lower() in _YES | {"true"}
        or (text.lower() not in _NO | {"false"} and float(text) > 0)
    )
    return positive / max(column.counts.total(), 1)


def _is_count(column: SeenColumn) -> bool:
    """Return whether a column counts feedback on the exposure: mostly 0, and rarely more than 1."""
    if not column.is_whole or column.is_flag or not has_word(column.name, FEEDBACK):
        return False
    if column.texts is None or has_word(column.name, AMOUNT_OF_TIME):
        return False
    numbers = column.numbers or []
    return min(numbers) == 0 and column.quantile(0.5) == 0 and len(column.counts) <= _FEW_STEPS


def _count(column: SeenColumn) -> GuessedTask:
    task = _flag(column)
    return dataclasses.replace(task, decide="a count of feedback, or a number known before")


def _rating(columns: Mapping[str, SeenColumn]) -> SeenColumn | None:
    for name, column in columns.items():
        numbers = column.numbers
        if numbers is None or not 3 <= len(set(numbers)) <= _MOST_STARS:
            continue
        if column.is_given and not has_word(name, RATING):
            continue
        if min(numbers) >= 0 and max(numbers) <= 10 and max(numbers) > 1:
            return column
    return None


def _rating_tasks(column: SeenColumn) -> list[GuessedTask]:
    numbers = column.numbers or []
    steps = sorted(set(numbers))
    shares = {step: sum(number >= step for number in numbers) / len(numbers) for step in steps[1:]}
    threshold = next((step for step in steps[1:] if shares[step] <= 0.6), steps[-1])
    mean = sum(numbers) / len(numbers)
    name = usable_name("tasks", column.name)
    return [
        GuessedTask(
            name="liked",
            kind="binary",
            label={"rule": "at_least", "column": column.name, "threshold": threshold},
            columns=(column.name,),
            weight=1.0,
            seen=f"{shares[threshold]:.2%} at least {threshold:g}",
            decide="the threshold",
        ),
        GuessedTask(
            name=name,
            kind="regression",
            label={"rule": "column", "column": column.name},
            columns=(column.name,),
            weight=1.0,
            seen=f"from {steps[0]:g} to {steps[-1]:g}, mean {mean:.3g}",
        ),
    ]


def _watch_tasks(
    columns: Mapping[str, SeenColumn], afterwards: dict[str, str]
) -> Iterable[GuessedTask]:
    """Return the task of a watch time, against the duration if there is one."""
    watched = [
        column
        for name, column in columns.items()
        if column.is_given
        and column.numbers is not None
        and not column.is_flag
        and min(column.numbers) >= 0
        and has_word(name, WATCH)
        and has_word(name, AMOUNT_OF_TIME)
    ]
    if not watched:
        return []
    first = min(watched, key=lambda column: not has_word(column.name, {"play", "watch"}))
    for column in watched:
        if column is not first:
            afterwards[column.name] = "time that passed after the exposure"
    duration = next(
        (
            column
            for name, column in columns.items()
            if column not in watched
            and column.numbers is not None
            and min(column.numbers) >= 0
            and max(column.numbers) > 0
            and has_word(name, DURATION)
            and not has_word(name, WATCH)
            and _unit(name) == _unit(first.name)
        ),
        None,
    )
    if duration is not None:
        return [
            GuessedTask(
                name="watch_ratio",
                kind="regression",
                label={
                    "rule": "ratio",
                    "numerator": first.name,
                    "denominator": duration.name,
                    "clip": 2.0,
                },
                columns=(first.name,),
                weight=0.5,
                seen=f"medians {first.quantile(0.5):g} and {duration.quantile(0.5):g}",
                decide="the clip; a binary task of watching through is `at_least`",
            )
        ]
    threshold = first.quantile(0.5)
    return [
        GuessedTask(
            name="watched",
            kind="binary",
            label={"rule": "at_least", "column": first.name, "threshold": threshold},
            columns=(first.name,),
            weight=1.0,
            seen=f"median {threshold:g}",
            decide="the threshold",
        )
    ]


def _unit(name: str) -> str:
    """Return the unit that a name gives; "" for none."""
    words = words_of(name)
    if "ms" in words:
        return "ms"
    return "s" if {"s", "sec", "secs", "second", "seconds"} & set(words) else ""


def _any_task(columns: Mapping[str, SeenColumn]) -> GuessedTask:
    """Return a task of the column that looks most like feedback, where no name says so."""
    decide = "the task: no column looks like feedback by its name"
    flags = [column for column in columns.values() if _tells_yes(column)]
    if flags:
        return _flag(min(flags, key=lambda column: abs(_positive_share(column) - 0.2)), decide)
    for column in columns.values():
        if column.numbers is not None and len(set(column.numbers)) > 1:
            threshold = column.quantile(0.5)
            if threshold == min(column.numbers):
                threshold = min(number for number in column.numbers if number > threshold)
            return GuessedTask(
                name=usable_name("tasks", f"high {column.name}"),
                kind="binary",
                label={"rule": "at_least", "column": column.name, "threshold": threshold},
                columns=(column.name,),
                weight=1.0,
                seen=f"median {column.quantile(0.5):g}",
                decide=decide,
            )
    column = next(
        (column for column in columns.values() if column.texts), next(iter(columns.values()))
    )
    values = [value for value, _ in column.counts.most_common(2)] or ["true"]
    return GuessedTask(
        name=usable_name("tasks", f"is {column.name}"),
        kind="binary",
        label={"rule": "event", "column": column.name, "equals": [values[-1] or "true"]},
        columns=(column.name,),
        weight=1.0,
        seen=f"{len(column.counts):,} values",
        decide=decide,
    )


def has_impressions(column: SeenColumn, shown: str) -> bool:
    """Return whether most events are impressions, so that actions can be joined to them."""
    return column.counts[shown] >= 0.5 * column.counts.total()


def behavior_tasks(column: SeenColumn, shown: str, *, are_joined: bool) -> dict[str, GuessedTask]:
    """Return a task for each kind of action, by the kind.

    Args:
        column: the kinds of all events.
        shown: the kind that is an impression.
        are_joined: whether actions are joined to impressions; if not, each line is an exposure.
    """
    tasks: dict[str, GuessedTask] = {}
    for kind, count in column.counts.most_common():
        if kind == shown or len(tasks) == _MOST_TASKS:
            continue
        folded = f"did_{usable_name('tasks', kind)}"
        tasks[kind] = GuessedTask(
            name=usable_name("tasks", kind),
            kind="binary",
            label={"rule": "event", "column": folded}
            if are_joined
            else {"rule": "event", "column": column.name, "equals": [kind]},
            columns=(folded if are_joined else column.name,),
            weight=-0.5 if has_word(kind, DISLIKES) else 1.0,
            seen=f"{count / column.counts.total():.2%} of the events",
            decide=""
            if are_joined
            else "the exposures: few events are impressions, so each line is taken for one",
        )
    return tasks

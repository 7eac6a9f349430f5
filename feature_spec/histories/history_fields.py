"""The fields that a spec's histories become, which every later step treats as any other field.

A count `user` with task `click` becomes the numbers `user_shown`, its earlier exposures, and
`user_click`, the sum of their labels, whose rate the transform graph smooths. A task with a sample
space, or with labels that some exposures lack, also has `user_click_seen`, the exposures with a
label. A sequence `clicked` of `video_id` becomes the list `clicked_video_id`, and beside it
`clicked_age` and `clicked_feedback`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from feature_spec.fields.field import (
    CategoricalField,
    EmbeddedField,
    Field,
    MultiCategoricalField,
    NumericField,
    SequenceField,
    Side,
    Vocabulary,
)
from feature_spec.histories.histories import Histories, HistoryCount, HistorySequence
from feature_spec.strict_model import Problem, closest_names
from feature_spec.tasks.label_rule import LabelRule, SampleSpace
from feature_spec.tasks.task import Task

SHOWN, SEEN, AGE, FEEDBACK = "shown", "seen", "age", "feedback"
_UNITS = (("d", 86_400), ("h", 3_600), ("s", 1))


class LabelledTask(Protocol):
    """What counts need to know of a task."""

    @property
    def label(self) -> LabelRule:
        """The rule of its label."""

    @property
    def sample_space(self) -> SampleSpace | None:
        """The exposures that it is limited to, if any."""

    @property
    def given(self) -> object:
        """What the task is given; false if nothing."""


class CountColumns(NamedTuple):
    """The fields of a count, for one window.

    Attributes:
        window_s: the window in seconds; None for the whole past.
        shown: the field with the number of exposures.
        seen: the field with the number of exposures that have a label, by task; `shown` where all
            have one.
        sums: the field with the sum of labels, by task.
    """

    window_s: int | None
    shown: str
    seen: dict[str, str]
    sums: dict[str, str]


def counted_tasks(count: HistoryCount, tasks: Mapping[str, LabelledTask]) -> list[str]:
    """Return the tasks whose labels a count sums, in the order of the spec."""
    return [task for task in tasks if count.tasks is None or task in count.tasks]


def has_every_label(task: LabelledTask) -> bool:
    """Return whether each exposure has a label of a task."""
    return task.sample_space is None and not task.given and task.label.rule == "event"


def feedback_tasks(sequence: HistorySequence, tasks: Iterable[str]) -> list[str]:
    """Return the tasks that a sequence tells feedback of, in the order of the spec's tasks."""
    return [task for task in tasks if task in sequence.feedback]


def count_columns(
    name: str, count: HistoryCount, tasks: Mapping[str, LabelledTask]
) -> list[CountColumns]:
    """Return the names of a count's fields, for each window."""
    result = []
    windows: list[int | None] = [*count.windows_s]
    for window_s in windows or [None]:
        prefix = name if window_s is None else f"{name}_{_window_text(window_s)}"
        counted = counted_tasks(count, tasks)
        shown = f"{prefix}_{SHOWN}"
        seen = {
            task: shown if has_every_label(tasks[task]) else f"{prefix}_{task}_{SEEN}"
            for task in counted
        }
        sums = {task: f"{prefix}_{task}" for task in counted}
        result.append(CountColumns(window_s, shown, seen, sums))
    return result


def _window_text(window_s: int) -> str:
    unit, seconds = next((unit, size) for unit, size in _UNITS if window_s % size == 0)
    return f"{window_s // seconds}{unit}"


def sequence_columns(name: str, sequence: HistorySequence) -> dict[str, str]:
    """Return the names of a sequence's lists, by the field whose values they hold.

    The age and the feedback come last, under `AGE` and `FEEDBACK`, which are names of no fields
    here: a field with such a name keeps it, and the list has none.
    """
    parts = [*sequence.fields]
    parts += [AGE] if sequence.age else []
    parts += [FEEDBACK] if sequence.feedback else []
    return {part: f"{name}_{part}" for part in parts}


def side_of(by: Iterable[str], fields: Mapping[str, Field]) -> Side:
    """Return the side of a history: the first of item, context and user that its key reads."""
    sides = {fields[name].side for name in by}
    return "item" if "item" in sides else "context" if "context" in sides else "user"


def crossed_histories(histories: Histories | None, fields: Mapping[str, Field]) -> set[str]:
    """Return the histories whose key reads fields of an item and of others, such as user × author.

    Their values belong to one user and candidate together.
    """
    counts = histories.counts if histories is not None else {}
    return {
        name
        for name, count in counts.items()
        if "item" in (sides := {fields[key].side for key in count.by}) and len(sides) > 1
    }


def history_fields(
    histories: Histories, fields: Mapping[str, Field], tasks: Mapping[str, Task]
) -> dict[str, Field]:
    """Return the fields of all histories by name.

    Args:
        histories: the histories, without problems.
        fields: the fields that the logs hold.
        tasks: the tasks of the spec.
    """
    result: dict[str, Field] = {}
    for name, count in histories.counts.items():
        result |= _fields_of_count(name, count, fields, tasks)
    for name, sequence in histories.sequences.items():
        result |= _fields_of_sequence(name, sequence, fields)
    return result


def _fields_of_count(
    name: str, count: HistoryCount, fields: Mapping[str, Field], tasks: Mapping[str, Task]
) -> dict[str, Field]:
    side = side_of(count.by, fields)
    result: dict[str, Field] = {}
    for columns in count_columns(name, count, tasks):
        for events in (columns.shown, *columns.seen.values()):
            result[events] = NumericField(
                side=side, kind="numeric", transform="log1p_z_score", minimum=0.0, history=name
            )
        for task, total in columns.sums.items():
            is_binary = tasks[task].kind == "binary"
            result[total] = NumericField(
                side=side,
                kind="numeric",
                transform="log_odds" if is_binary else "rate",
                of=columns.seen[task],
                smoothing=count.smoothing,
                minimum=0.0 if is_binary else None,
                history=name,
            )
    return result


def _fields_of_sequence(
    name: str, sequence: HistorySequence, fields: Mapping[str, Field]
) -> dict[str, Field]:
    side = side_of(sequence.by, fields)
    owner = fields[sequence.fields[0]]
    width = owner.width if isinstance(owner, EmbeddedField) else 16
    result: dict[str, Field] = {}
    for part, column in sequence_columns(name, sequence).items():
        if part in sequence.fields:
            result[column] = SequenceField(
                side=side,
                kind="sequence",
                shares=part,
                max_length=sequence.max_length,
                pooling=sequence.pooling,
                heads=sequence.heads,
                history=name,
            )
        else:
            result[column] = MultiCategoricalField(
                side=side,
                kind="multi_categorical",
                vocabulary=Vocabulary(),
                width=width,
                max_length=sequence.max_length,
                history=name,
            )
    return result


def history_problems(
    histories: Histories,
    fields: Mapping[str, Field],
    tasks: Mapping[str, Task],
    *,
    has_event_time: bool,
    folded: Collection[str],
) -> Iterator[Problem]:
    """Find what histories say of fields and tasks and that is not so.

    Args:
        histories: the histories.
        fields: the fields that the logs hold.
        tasks: the tasks of the spec.
        has_event_time: whether `keys.event_time` is given.
        folded: the columns that impressions get from their actions.
    """
    if not has_event_time:
        yield Problem(
            ("histories",),
            None,
            "needs 'keys.event_time' to tell what happened before an exposure",
        )
    keys = {
        name: field
        for name, field in fields.items()
        if isinstance(field, CategoricalField | MultiCategoricalField)
        and (field.table is not None or (field.column or name) not in folded)
    }
    for name in histories.counts.keys() & histories.sequences.keys():
        yield Problem(
            ("histories", "sequences", name),
            name,
            "a count has the same name; each name may stand for one history only",
        )
    made: dict[str, str] = {}
    for kind in ("counts", "sequences"):
        for name, history in getattr(histories, kind).items():
            place = ("histories", kind, name)
            valid = {
                key: field
                for key, field in keys.items()
                if kind == "counts" or field.side != "item"
            }
            named = [("by", key, valid) for key in history.by]
            if isinstance(history, HistorySequence):
                named += [("fields", key, keys) for key in history.fields]
            wrong = [(part, key, among) for part, key, among in named if key not in among]
            for part, key, among in wrong:
                sides = " of user or context" if among is valid and kind == "sequences" else ""
                reason = (
                    "is made of the actions that follow an impression, which nobody knows before"
                    if key in fields and (fields[key].column or key) in folded
                    else f"no such categorical field{sides}"
                )
                yield Problem((*place, part), key, f"{reason}: {closest_names(key, among)}")
            binary = [task for task in tasks if tasks[task].kind == "binary"]
            part, wanted, known = (
                ("tasks", history.tasks or [], list(tasks))
                if isinstance(history, HistoryCount)
                else ("feedback", history.feedback, binary)
            )
            unknown = [task for task in wanted if task not in known]
            for task in unknown:
                yield Problem((*place, part), task, f"no such task: {closest_names(task, known)}")
            if wrong or unknown:
                continue
            columns = (
                _fields_of_count(name, history, fields, tasks)
                if isinstance(history, HistoryCount)
                else _fields_of_sequence(name, history, fields)
            )
            for column in columns:
                taken = (
                    "a field" if column in fields
                    else "a task" if column in tasks
                    else made.get(column)
                )  # fmt: skip
                if taken is not None:
                    yield Problem(
                        place, name, f"becomes a field {column!r}, a name that {taken} has"
                    )
                made[column] = f"a field of {kind}.{name}"

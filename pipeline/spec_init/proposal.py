"""A feature spec that is proposed for files: what was seen of them, and what follows from it."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from feature_spec.fields.field import Side
from feature_spec.names import is_usable, usable_name
from pipeline.ingest.sources.files import LogFile
from pipeline.spec_init.field_guess import (
    GuessedField,
    guessed_field,
    guessed_side,
    shared_field,
)
from pipeline.spec_init.roles import (
    JoinedTable,
    Roles,
    days_of,
    guessed_roles,
    joined_table,
    tells_hours,
    unit_of,
)
from pipeline.spec_init.seen_columns import SeenColumn, SeenSource, seen_source
from pipeline.spec_init.source_guess import guessed_source
from pipeline.spec_init.split_guess import guessed_split
from pipeline.spec_init.task_guess import (
    GuessedTask,
    behavior_tasks,
    guessed_tasks,
    has_impressions,
)
from pipeline.spec_init.words import ITEM_KEYS, TIME, USER, has_word, is_id, plain_name, words_of

LINES_OF_LOG, LINES_OF_TABLE = 20_000, 200_000


@dataclasses.dataclass(frozen=True)
class NamedField:
    """A field that is proposed, with its place.

    Attributes:
        name: a usable name.
        side: the side.
        column: the column that it reads, as it was seen; None for a part of the event time.
        table: the side table of the column; None for the log.
        field: its kind and settings.
        decide: what is left to decide; "" if nothing.
    """

    name: str
    side: Side
    column: SeenColumn | None
    table: str | None
    field: GuessedField
    decide: str


@dataclasses.dataclass
class Proposal:
    """All that a proposed spec says.

    Attributes:
        log: the log.
        roles: the roles of its columns.
        tables: side tables by name.
        fields: fields, in the order of the columns.
        tasks: tasks; of a log of events, each by the kind of its action.
        actions: the kinds of actions by the column that they fold into; empty without events.
        split: the section `split`.
        split_remark: what was seen of it.
        days: the lines of each day; empty without a time.
        left_out: columns that are no fields, with the reason, by source (None for the log).
        names: the names of the log's files, below the folder.
    """

    log: SeenSource
    roles: Roles
    tables: dict[str, JoinedTable]
    fields: list[NamedField]
    tasks: list[GuessedTask]
    actions: dict[str, str]
    split: dict[str, Any]
    split_remark: str
    days: Counter[datetime.date]
    left_out: dict[str | None, dict[str, str]]
    names: list[str]


def proposal(
    files: Mapping[str | None, Sequence[LogFile]],
    patterns: Mapping[str | None, Sequence[str]],
    columns: Mapping[str | None, Sequence[str]],
) -> Proposal:
    """Look at files, and propose a spec for them.

    Args:
        files: the files of the log (None) and of each side table.
        patterns: the patterns that match them.
        columns: names for the columns of CSV files without a header.

    Raises:
        ValueError: a file cannot be read, or a side table cannot be joined.
    """
    seen = {}
    for name, of_source in files.items():
        source = guessed_source(of_source[0], patterns[name], columns.get(name))
        named = source.columns is None or name in columns
        lines = LINES_OF_LOG if name is None else LINES_OF_TABLE
        seen[name] = seen_source(source, of_source, lines, named)
    log = seen.pop(None)
    if not log.columns:
        raise ValueError(f"the lines of {log.source.text} have no columns that a spec can name")
    roles = guessed_roles(log)
    tables: dict[str, JoinedTable] = {}
    for name, table in seen.items():
        assert name is not None  # noqa: S101 (the log is taken out)
        taken = [one.exposure_key for one in tables.values()]
        tables[name] = joined_table(name, table, log, roles, taken)
        _learn_roles(name, tables[name], roles)
    log, tables = _named(log, roles, tables)
    return _assembled(log, roles, tables, [file.name for file in files[None]])


def _learn_roles(name: str, table: JoinedTable, roles: Roles) -> None:
    """Take the column by which users or items are joined for their key."""
    plain = name.removesuffix("s")
    for role, words in (("user", USER), ("item", ITEM_KEYS)):
        if has_word(plain, words):
            other = "item" if role == "user" else "user"
            if getattr(roles, other) == table.exposure_key:
                setattr(roles, other, getattr(roles, role))
            setattr(roles, role, table.exposure_key)


def _named(
    log: SeenSource, roles: Roles, tables: dict[str, JoinedTable]
) -> tuple[SeenSource, dict[str, JoinedTable]]:
    """Name the columns of files without a header by their roles."""
    if log.source.columns and not any(column.is_given for column in log.columns.values()):
        rating = next(
            (
                column
                for task in guessed_tasks(log.columns, roles).tasks
                for column in task.columns
                if task.name == "liked"
            ),
            None,
        )
        wanted = {
            roles.user: "user_id",
            roles.item: "item_id",
            roles.time.column if roles.time else None: "time",
            roles.behavior: "behavior",
            rating: "rating",
        }
        names = {column: name for column, name in wanted.items() if column is not None}
        log = log.renamed(names)
        for role in ("user", "item", "behavior"):
            setattr(roles, role, names.get(getattr(roles, role), getattr(roles, role)))
        if roles.time is not None:
            new = names[roles.time.column]
            roles.time = roles.time.model_copy(update={"column": new})
        tables = {
            name: dataclasses.replace(
                table, exposure_key=names.get(table.exposure_key, table.exposure_key)
            )
            for name, table in tables.items()
        }
    renamed = {}
    for name, table in tables.items():
        one = table
        key = table.seen.columns[table.key]
        if table.seen.source.columns and not key.is_given:
            seen = table.seen.renamed({table.key: table.exposure_key})
            one = dataclasses.replace(table, seen=seen, key=table.exposure_key)
        renamed[name] = one
    return log, renamed


class _Names:
    """The names that fields and tasks have so far, which differ in more than case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, part: str, wanted: str, prefix: str = "") -> str:
        """Return a usable name like the wanted one that nothing has; with a prefix if it must."""
        wanted = plain_name(wanted)
        first = usable_name(part, wanted)
        candidates = [first, *([usable_name(part, f"{prefix}_{wanted}")] if prefix else [])]
        number = 2
        while True:
            for name in candidates:
                if is_usable(name) and name.lower() not in self._taken:
                    self._taken.add(name.lower())
                    return name
            candidates = [f"{first}_{number}", f"{part[0]}_{first}_{number}"]
            number += 1


def _assembled(
    log: SeenSource, roles: Roles, tables: dict[str, JoinedTable], names: list[str]
) -> Proposal:
    used = _Names()
    left_out: dict[str | None, dict[str, str]] = {None: {}, **{name: {} for name in tables}}
    actions: dict[str, str] = {}
    if roles.behavior is not None and roles.shown is not None and roles.user and roles.item:
        kinds = log.columns[roles.behavior]
        are_joined = has_impressions(kinds, roles.shown)
        of_kinds = behavior_tasks(kinds, roles.shown, are_joined=are_joined)
        tasks = list(of_kinds.values())
        if are_joined:
            actions = {task.columns[0]: kind for kind, task in of_kinds.items()}
    else:
        roles.behavior = roles.shown = None
        guessed = guessed_tasks(log.columns, roles)
        tasks = guessed.tasks
        left_out[None] |= guessed.afterwards
    tasks = [dataclasses.replace(task, name=used.claim("tasks", task.name)) for task in tasks]
    labels = {column for task in tasks for column in task.columns}
    left_out[None] |= dict.fromkeys(roles.taken & log.columns.keys(), "a key")
    left_out[None] |= {
        name: "a further time, of which requests have other values"
        for name, column in log.columns.items()
        if name not in labels | left_out[None].keys()
        and column.is_given
        and not is_id(name)
        and has_word(name, TIME)
        and unit_of(column, is_named=True) is not None
    }
    fields = _fields(log, roles, tables, labels=labels, left_out=left_out, used=used)
    if not fields:
        fields = [_any_field(log, left_out, used)]
    if all(field.side != "item" for field in fields):
        first = dataclasses.replace(
            fields[0], side="item", decide="the side: some field is the item's"
        )
        fields = [first, *fields[1:]]
    days = days_of(log.columns[roles.time.column], roles.time) if roles.time else Counter()
    split, remark = guessed_split(log, roles, days, names)
    fields += _time_fields(log, roles, days, used)
    return Proposal(
        log, roles, tables, fields, tasks, actions, split, remark, days, left_out, names
    )


def _fields(
    log: SeenSource,
    roles: Roles,
    tables: Mapping[str, JoinedTable],
    *,
    labels: set[str],
    left_out: dict[str | None, dict[str, str]],
    used: _Names,
) -> list[NamedField]:
    keys = {roles.user, roles.item, *(table.exposure_key for table in tables.values())}
    fields: list[NamedField] = []
    for name, column in log.columns.items():
        if name in labels or name in left_out[None]:
            continue
        field = guessed_field(
            column, is_key=name in keys, in_table=False, about_lines=log.about_lines
        )
        if isinstance(field, str):
            left_out[None][name] = field
            continue
        side, decide = guessed_side(column, roles, log.columns)
        fields.append(
            NamedField(
                used.claim("fields", name), side, column, None, field, decide or field.decide
            )
        )
    for table, joined in tables.items():
        side = guessed_side(log.columns[joined.exposure_key], roles, log.columns)[0]
        for name, column in joined.seen.columns.items():
            if name == joined.key:
                continue
            field = guessed_field(
                column, is_key=False, in_table=True, about_lines=joined.seen.about_lines
            )
            if isinstance(field, str):
                left_out[table][name] = field
                continue
            fields.append(
                NamedField(
                    used.claim("fields", name, table.removesuffix("s")),
                    side,
                    column,
                    table,
                    field,
                    field.decide,
                )
            )
    return _with_sequences(fields)


def _with_sequences(fields: list[NamedField]) -> list[NamedField]:
    """Let lists of values of another field read its rows."""
    categories = {
        one.name: one.column
        for one in fields
        if one.field.kind == "categorical" and one.column is not None
    }
    result = []
    for one in fields:
        shares = None
        if one.field.kind == "multi_categorical" and one.column is not None:
            separator = one.field.settings.get("separator", ",")
            column = one.column
            if column.elements is None:
                column = column.split_at(separator)
            shares = shared_field(column, categories)
        if shares is None:
            result.append(one)
            continue
        settings = {key: value for key, value in one.field.settings.items() if key != "vocabulary"}
        field = GuessedField("sequence", {"shares": shares, **settings})
        result.append(dataclasses.replace(one, field=field, decide="whether the newest come first"))
    return result


def _any_field(
    log: SeenSource, left_out: dict[str | None, dict[str, str]], used: _Names
) -> NamedField:
    """Return a field of a log in which every column is a label, a key or left out."""
    categories = [column for column in log.columns.values() if column.texts is not None]
    column = next(iter(categories or log.columns.values()))
    left_out[None].pop(column.name, None)
    kind = "categorical" if column.texts is not None or column.numbers is None else "numeric"
    return NamedField(
        used.claim("fields", column.name, "field"),
        "item",
        column,
        None,
        GuessedField(kind, {}),
        "a field: no column is left that is no label",
    )


def _time_fields(
    log: SeenSource, roles: Roles, days: Counter[datetime.date], used: _Names
) -> list[NamedField]:
    if roles.time is None or roles.time.unit == "yyyymmdd":
        return []
    # Of days alone, all hours are 0, and those of requests would be unknown to the model.
    parts = ["hour"] if tells_hours(log.columns[roles.time.column], roles.time) else []
    parts += ["weekday"] if len(days) > 7 else []
    given = {word for name in log.columns for word in words_of(name)[:1]}
    return [
        NamedField(
            used.claim("fields", part, "time"),
            "context",
            None,
            None,
            GuessedField("categorical", {"from": "event_time", "part": part}),
            "",
        )
        for part in parts
        if part not in given
    ]

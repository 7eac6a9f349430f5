"""The columns of a log that identify an exposure: user, item, request, time and behaviour."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from feature_spec.logs.event_logs import EventTime
from feature_spec.logs.log_values import UnusableLineError, time_reader
from pipeline.spec_init.seen_columns import SeenColumn, SeenSource
from pipeline.spec_init.words import (
    BEHAVIOR,
    DISLIKES,
    FEEDBACK,
    IMPRESSIONS,
    ITEM_KEYS,
    REQUEST,
    TIME,
    USER,
    has_word,
    is_id,
    words_of,
)

# Years of which logs are: a number of seconds between is a time, if the name says nothing else.
_FIRST_S, _LAST_S = 788_918_400, 2_051_222_400  # 1995 to 2035
_FEW_KINDS = 20
_DAY_US = 86_400_000_000


@dataclasses.dataclass(frozen=True)
class JoinedTable:
    """A side table and the column of the log that has its key.

    Attributes:
        seen: the table.
        key: its column with the key.
        exposure_key: the column of the log.
        matched: the share of the log's lines whose key the table has, as far as both were read.
    """

    seen: SeenSource
    key: str
    exposure_key: str
    matched: float


@dataclasses.dataclass
class Roles:
    """The columns of a log by what they are for.

    Attributes:
        user, item, request: columns of `keys`.
        time: the time of the exposure.
        behavior: the column with the kind of each event, where lines are events.
        shown: the kind that is an impression.
    """

    user: str | None = None
    item: str | None = None
    request: str | None = None
    time: EventTime | None = None
    behavior: str | None = None
    shown: str | None = None

    @property
    def taken(self) -> set[str]:
        """The columns with a role that are no features by themselves."""
        named = (self.request, self.behavior, self.time.column if self.time else None)
        return {column for column in named if column is not None}


def guessed_roles(log: SeenSource) -> Roles:
    """Return the roles of a log's columns, by their names and, without names, by their content."""
    roles = Roles(time=_event_time(log.columns))
    for role, words in (("user", USER), ("item", ITEM_KEYS), ("request", REQUEST)):
        setattr(roles, role, _key(log.columns, words, roles))
    roles.behavior, roles.shown = _behavior(log.columns, roles)
    if not any(column.is_given for column in log.columns.values()):
        _by_content(log, roles)
    return roles


def _by_content(log: SeenSource, roles: Roles) -> None:
    """Take the first two columns with many values for user and item."""
    many = [
        name
        for name, column in log.columns.items()
        if _can_be_key(column) and len(column.counts) > _FEW_KINDS and name not in roles.taken
    ]
    if len(many) >= 2:
        roles.user, roles.item = many[:2]


def _key(columns: Mapping[str, SeenColumn], words: Iterable[str], roles: Roles) -> str | None:
    candidates = []
    for name, column in columns.items():
        named = words_of(name)
        if not column.is_given or name in roles.taken or not _can_be_key(column):
            continue
        if not has_word(name, frozenset(words)):
            continue
        if is_id(name) or len(named) == 1:
            candidates.append((len(named), -len(column.counts), name))
    return min(candidates)[-1] if candidates else None


def _can_be_key(column: SeenColumn) -> bool:
    return column.texts is not None and not column.missing_share and len(column.counts) > 1


def _behavior(columns: Mapping[str, SeenColumn], roles: Roles) -> tuple[str | None, str | None]:
    """Return the column of kinds of events, and the kind that is an impression."""
    if roles.time is None:
        return None, None
    for name, column in columns.items():
        texts = column.texts
        if texts is None or column.missing_share or not 2 <= len(column.counts) <= _FEW_KINDS:
            continue
        of_behavior = all(has_word(kind, IMPRESSIONS | FEEDBACK | DISLIKES) for kind in texts)
        if column.is_given and not has_word(name, BEHAVIOR) and not of_behavior:
            continue
        shown = [kind for kind in column.counts if has_word(kind, IMPRESSIONS)]
        if shown:
            return name, max(shown, key=column.counts.__getitem__)
    return None, None


def _event_time(columns: Mapping[str, SeenColumn]) -> EventTime | None:
    candidates = []
    for name, column in columns.items():
        if column.missing_share or (is_id(name) and column.is_given):
            continue
        is_named = column.is_given and has_word(name, TIME)
        unit = unit_of(column, is_named)
        if unit is not None:
            candidates.append((not is_named, unit == "yyyymmdd", -len(column.counts), name, unit))
    if not candidates:
        return None
    *_, name, unit = min(candidates)
    return EventTime(column=name, unit=unit)


def unit_of(column: SeenColumn, is_named: bool) -> Any:
    """Return the unit in which every value of a column is a time; None if it is none.

    Args:
        column: the column.
        is_named: whether its name says that it is a time.
    """
    numbers, units = column.numbers, []
    if numbers is not None and len(column.counts) > 1:
        least, most = min(numbers), max(numbers)
        for unit, factor in (("s", 1), ("ms", 1_000), ("us", 1_000_000)):
            if least >= _FIRST_S * factor and most <= _LAST_S * factor:
                units.append(unit)
        if column.is_whole and least >= 19_900_101 and most <= 20_991_231 and is_named:
            units.append("yyyymmdd")
    elif column.texts is not None and all(isinstance(value, str) for value in column.present):
        units += ["iso8601"]
    for unit in units:
        if _reads_all(column, unit):
            return unit
    return None


def _reads_all(column: SeenColumn, unit: Any) -> bool:
    read = time_reader(EventTime(column=column.name, unit=unit))
    try:
        for value in column.present:
            read(value)
    except UnusableLineError:
        return False
    return bool(column.present)


def days_of(column: SeenColumn, time: EventTime) -> Counter[datetime.date]:
    """Return the lines of each day."""
    read = time_reader(time)
    return Counter(datetime.date.fromordinal(read(value)[1]) for value in column.present)


def tells_hours(column: SeenColumn, time: EventTime) -> bool:
    """Return whether times have an hour: days as times all are at midnight."""
    read = time_reader(time)
    return any(read(value)[0] % _DAY_US for value in column.present)


def joined_table(
    name: str, table: SeenSource, log: SeenSource, roles: Roles, taken: Iterable[str]
) -> JoinedTable:
    """Return the keys by which a side table joins a log, told by equal values.

    Args:
        name: the name of the table.
        table: the table.
        log: the log.
        roles: the roles of the log's columns.
        taken: columns of the log by which other tables are joined.

    Raises:
        ValueError: no column of the table has values of a column of the log.
    """
    by_role = roles.user if has_word(_singular(name), USER) else None
    by_role = roles.item if has_word(_singular(name), ITEM_KEYS) else by_role
    best: tuple[float, str, str, float] | None = None
    for key, column in table.columns.items():
        if column.texts is None or column.missing_share > 0.5:
            continue
        keys = set(column.counts)
        if len(keys) < 0.5 * len(column.present):
            continue  # repeated values identify nothing
        for exposure_key, of_log in log.columns.items():
            if of_log.texts is None or not of_log.counts or of_log.is_flag:
                continue
            if exposure_key in roles.taken:
                continue
            matched = sum(of_log.counts[one] for one in keys) / sum(of_log.counts.values())
            if not matched:
                continue
            used = len(keys & of_log.counts.keys()) / len(keys)
            score = matched + 0.5 * math.sqrt(used)
            score += (column.is_given and key == exposure_key) + 0.5 * (exposure_key == by_role)
            score -= 0.5 * (exposure_key in set(taken)) + 0.01 * list(table.columns).index(key)
            if best is None or score > best[0]:
                best = (score, key, exposure_key, matched)
    if best is None:
        raise ValueError(
            f"--table {name}: no column of {table.source.text} has values of a column of the log; "
            f"the log has {', '.join(log.columns)}; the table has {', '.join(table.columns)}"
        )
    return JoinedTable(table, *best[1:])


def _singular(name: str) -> str:
    return name.removesuffix("s") if not name.endswith("ies") else f"{name[:-3]}y"

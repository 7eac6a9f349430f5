"""A field for each column: its kind by content and number of values, its side, its settings."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from feature_spec.fields.field import Side
from pipeline.spec_init.roles import Roles
from pipeline.spec_init.seen_columns import SeenColumn
from pipeline.spec_init.words import (
    CODES,
    CONTEXT,
    HISTORY,
    ITEM,
    QUANTITIES,
    USER,
    has_word,
    is_id,
    words_of,
)

# Whole numbers with so few values are codes or steps, whatever they are called.
_FEW_VALUES = 20
_LARGE_VOCABULARY = 1_000
_HASHED_FROM = 1_000_000
_MOST_BUCKETS = 1 << 22
_LONGEST_LIST = 50
# Texts of which hardly one occurs twice identify or describe, and teach nothing.
_NEARLY_UNIQUE = 0.9
_LEAST_ROWS = 50
_SAME = 0.98


@dataclasses.dataclass(frozen=True)
class GuessedField:
    """A field that is proposed for a column.

    Attributes:
        kind: its kind.
        settings: its settings beside side, kind, column and table.
        decide: what is left to decide; "" if nothing.
    """

    kind: str
    settings: dict[str, Any]
    decide: str = ""


def guessed_field(
    column: SeenColumn, *, is_key: bool, in_table: bool, about_lines: int
) -> GuessedField | str:
    """Return the field of a column, or the reason why it is left out.

    Args:
        column: the column.
        is_key: whether the log uses it as a key of users, items or tables.
        in_table: whether it is of a side table, whose keys are unique.
        about_lines: the number of lines of the source.
    """
    reason = _reason_against(column, is_key=is_key, in_table=in_table)
    if reason:
        return reason
    if column.elements is not None:
        return _list_field(column, {})
    separator = column.separator if not is_key else None
    if separator is not None:
        given = {} if separator == "," else {"separator": separator}
        return _list_field(column.split_at(separator), given)
    if column.texts is None or (column.numbers is not None and not is_key and not _is_code(column)):
        return _numeric(column)
    return GuessedField("categorical", _rows(column, about_lines, in_table))


def _no_values_of_a_field(values: Sequence[Any]) -> str:
    """Return what values are that are neither texts nor numbers."""
    if all(
        isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value)
        for value in values
    ):
        lengths = {len(value) for value in values}
        if len(lengths) == 1 and min(lengths) > 1:
            return f"lists of {min(lengths)} numbers; kind vector, if a model computed them"
    kinds = sorted({type(value).__name__ for value in values})
    return f"values are neither categories nor numbers ({', '.join(kinds)})"


def _reason_against(column: SeenColumn, *, is_key: bool, in_table: bool) -> str:
    """Return why a column is no field; "" if it may be one."""
    if not column.present:
        return "no value was seen"
    if column.elements is not None:
        return "" if any(column.elements) else "lists are empty"
    if column.texts is None and column.numbers is None:
        return _no_values_of_a_field(column.present)
    if is_key:
        return ""
    if len(column.counts) == 1 and not column.missing_share:
        return f"always {next(iter(column.counts))}"
    identifies = column.numbers is None and column.separator is None
    identifies |= not in_table and is_id(column.name)
    return "hardly a value occurs twice" if identifies and _is_nearly_unique(column) else ""


def _is_nearly_unique(column: SeenColumn) -> bool:
    count = len(column.present)
    return count >= _LEAST_ROWS and len(column.counts) >= _NEARLY_UNIQUE * count


def _is_code(column: SeenColumn) -> bool:
    """Return whether whole numbers stand for categories."""
    if not column.is_whole or column.texts is None:
        return False
    if is_id(column.name) or len(column.counts) <= _FEW_VALUES:
        return True
    if has_word(column.name, QUANTITIES):
        return False
    if has_word(column.name, CODES) or not column.is_given or not column.name[:1].isalpha():
        return True
    # Codes are numbered without large gaps.
    least, most = min(column.numbers or [0.0]), max(column.numbers or [0.0])
    return least >= 0 and most - least <= 3 * len(column.counts)


def _numeric(column: SeenColumn) -> GuessedField:
    numbers = column.numbers or []
    least, most, middle = min(numbers), max(numbers), column.quantile(0.5)
    if least >= 0 and most > 10 * max(middle, 1e-9) and most > 1:
        return GuessedField(
            "numeric",
            {"transform": "log1p_z_score", "minimum": 0},
            "a line with a smaller number is rejected",
        )
    return GuessedField("numeric", {})


def _list_field(column: SeenColumn, given: dict[str, Any]) -> GuessedField:
    lengths = sorted(map(len, column.elements or []))
    longest = lengths[min(int(0.95 * len(lengths)), len(lengths) - 1)]
    settings: dict[str, Any] = {"max_length": min(max(longest, 1), _LONGEST_LIST), **given}
    if len(column.counts) > _LARGE_VOCABULARY:
        settings["vocabulary"] = {"min_count": 2}
    return GuessedField("multi_categorical", settings)


def _rows(column: SeenColumn, about_lines: int, in_table: bool) -> dict[str, Any]:
    """Return how the values of a category get rows: each, the frequent ones, or by hash."""
    counts, seen = column.counts, max(len(column.present), 1)
    values = len(counts)
    if about_lines > seen * 1.01:
        once, twice = (sum(count == times for count in counts.values()) for times in (1, 2))
        values += round(once * once / (2 * max(twice, 1)))
        values = min(values, about_lines)
    if values >= _HASHED_FROM:
        buckets = 1 << min(math.ceil(math.log2(values)), _MOST_BUCKETS.bit_length() - 1)
        return {"hash_buckets": buckets}
    if values > _LARGE_VOCABULARY:
        rare = sum(count == 1 for count in counts.values()) / len(counts)
        if in_table or rare > 0.1:
            return {"vocabulary": {"min_count": 5 if about_lines >= 1_000_000 else 2}}
    return {}


def guessed_side(
    column: SeenColumn, roles: Roles, columns: Mapping[str, SeenColumn]
) -> tuple[Side, str]:
    """Return the side of a column of the log, and what is left to decide about it."""
    name = column.name
    side = (
        _side_by_name(name, roles) if column.is_given or name in (roles.user, roles.item) else None
    )
    keys: tuple[tuple[Side, str | None], ...] = (("item", roles.item), ("user", roles.user))
    for fixed, key in keys:
        if side is None and key is not None and is_fixed_by(column, columns[key]):
            side = fixed
    if side is not None:
        return side, ""
    if roles.user is None and roles.item is None:
        return "item", "the side: user, item or context"
    return "context", "the side, if it is not the request's"


def _side_by_name(name: str, roles: Roles) -> Side | None:
    if name in (roles.user, roles.item):
        return "user" if name == roles.user else "item"
    words: tuple[tuple[Side, frozenset[str]], ...] = (
        ("user", USER),
        ("item", ITEM),
        ("context", CONTEXT),
    )
    for side, names in words:
        if has_word(name, names):
            return side
    return "user" if roles.user and roles.item and has_word(name, HISTORY) else None


def is_fixed_by(column: SeenColumn, key: SeenColumn) -> bool | None:
    """Return whether a column has one value for each value of a key; None if lines do not tell."""
    of_key: dict[Any, Counter[str]] = {}
    for one, value in zip(key.values, column.values, strict=True):
        of_key.setdefault(one, Counter())[repr(value)] += 1
    several = [values for values in of_key.values() if values.total() > 1]
    lines = sum(values.total() for values in several)
    if lines < _FEW_VALUES or len(several) < 5:
        return None
    return sum(max(values.values()) for values in several) >= _SAME * lines


def shared_field(column: SeenColumn, fields: Mapping[str, SeenColumn]) -> str | None:
    """Return the field whose values a list repeats, such as items of a history.

    Small numbers occur everywhere, so the field has to be an id, or to share a word with the list.
    """
    elements, words = set(column.counts), set(words_of(column.name))
    for name, other in fields.items():
        if not is_id(other.name) and not words & set(words_of(other.name)):
            continue
        known = set(other.counts)
        if len(known) > _FEW_VALUES and len(elements & known) >= 0.8 * len(elements):
            return name
    return None
